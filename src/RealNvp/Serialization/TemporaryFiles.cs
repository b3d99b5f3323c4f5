using System.Buffers;
using System.Security.Cryptography;
using System.Text;

namespace RealNvp;

/// <summary>The files that a save writes before they take the name of their target; a process that is killed leaves one.</summary>
/// <remarks>
/// <c>.NAME.0123456789abcdef.realnvp.tmp</c> lies beside NAME. The middle is drawn anew for each save; the rest says whose it is,
/// so nobody else's file is taken for one. The writer holds it open for itself alone, with a lock that ends with its process.
/// </remarks>
internal static class TemporaryFiles
{
    private const string End = ".realnvp.tmp";
    private const int Digits = 16, MostBytes = 180;
    private static readonly SearchValues<char> digits = SearchValues.Create("0123456789abcdef");
    private static readonly TimeSpan oldest = TimeSpan.FromMinutes(1);

    /// <summary>A new name for what shall become <paramref name="target"/>,
    /// in the same folder, so that it only has to be renamed.</summary>
    public static string NameFor(string target) =>
        Path.Combine(Folder(target), Start(target) + RandomNumberGenerator.GetHexString(Digits, lowercase: true) + End);

    /// <summary>
    /// Removes those of killed saves to the same target: not written for a minute, and held open by nobody. What cannot be removed stays.
    /// </summary>
    public static void RemoveLeft(string target)
    {
        var start = Start(target);
        try
        {
            foreach (var path in Directory.EnumerateFiles(Folder(target), "*" + End,
                new EnumerationOptions { AttributesToSkip = FileAttributes.Directory | FileAttributes.ReparsePoint }))
                if (IsOne(Path.GetFileName(path.AsSpan()), start)) Remove(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { /* the save itself says what it lacks */ }
    }

    private static bool IsOne(ReadOnlySpan<char> name, string start) =>
        name.Length == start.Length + Digits + End.Length && name.StartsWith(start, StringComparison.Ordinal)
            && !name.Slice(start.Length, Digits).ContainsAnyExcept(digits);

    private static void Remove(string path)
    {
        try
        {
            if (DateTime.UtcNow - File.GetLastWriteTimeUtc(path) < oldest || !PathCheck.IsRegular(path)) return;
            // Opening it fails while its writer lives. It is removed before the lock is given back.
            using var _ = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.None, bufferSize: 0, FileOptions.DeleteOnClose);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { /* in use, or of another user */ }
    }

    private static string Folder(string target) => Path.GetDirectoryName(target) ?? ".";

    // a name may have 255 bytes; of a longer one, a hash says which it is
    private static string Start(string target)
    {
        var name = Path.GetFileName(target);
        var bytes = Encoding.UTF8.GetBytes(name);
        if (bytes.Length <= MostBytes) return $".{name}.";
        var length = 0;
        for (var count = 0; length < name.Length && (count += Encoding.UTF8.GetByteCount(name.AsSpan(length, 1))) < MostBytes - 40;)
            length++;
        if (char.IsHighSurrogate(name[length - 1])) length--;
        return $".{name[..length]}.{Convert.ToHexStringLower(SHA256.HashData(bytes).AsSpan(0, 16))}.";
    }
}
