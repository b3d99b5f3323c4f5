using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text;

namespace RealNvp;

/// <summary>A checksum of all that a file says: names, dtypes, shapes and data of its tensors, and its metadata.</summary>
/// <remarks>
/// CRC-32C (Castagnoli) of the data of each tensor, and of the list of all these with names and metadata: every change of fewer than 32
/// bits in a row is noticed. Processors have an instruction for it, so it costs some milliseconds for 50 MB. It is against accidents: who
/// forges a file can compute it. The order of tensors and of metadata in the file does not matter, so other programs may write them anew.
/// </remarks>
internal sealed class Checksum
{
    /// <summary>The name of the metadata that holds it.</summary>
    public const string Key = "realnvp.crc32c";

    /// <summary>Whether a name is that of the checksum but for one bit: without its name it would not be asked for.</summary>
    public static bool IsDamagedKey(string name)
    {
        if (name.Length != Key.Length) return false;
        var bits = 0;
        for (var i = 0; i < name.Length; i++) bits += BitOperations.PopCount((uint)(name[i] ^ Key[i]));
        return bits == 1;
    }

    /// <summary>A checksum to compute, if a file has one; null if it has none.</summary>
    /// <param name="metadata">The metadata of the file.</param>
    /// <param name="name">What messages call it.</param>
    /// <exception cref="InvalidDataException">The name of the checksum is damaged.</exception>
    public static Checksum? Asked(IReadOnlyDictionary<string, string> metadata, string name)
    {
        if (metadata.Keys.FirstOrDefault(IsDamagedKey) is { } key)
            throw new InvalidDataException(
                $"{name} is damaged: its metadata hold '{FileText.Name(key)}', which is '{Key}' with one bit changed. Use another copy.");
        return metadata.ContainsKey(Key) ? new Checksum() : null;
    }

    /// <summary>Compares it with that of a file.</summary>
    /// <exception cref="InvalidDataException">They are not the same.</exception>
    public void Compare(IReadOnlyDictionary<string, string> metadata, string name)
    {
        if (Of(metadata) != metadata[Key])
            throw new InvalidDataException(
                $"{name} is damaged: its checksum, '{Key}' in its metadata, does not agree with what it holds. Use another copy; or " +
                $"remove the checksum, if you changed the file on purpose.");
    }

    private readonly SortedDictionary<string, string> tensors = new(StringComparer.Ordinal);

    /// <summary>CRC-32C of bytes that follow on those of <paramref name="crc"/>, without the inversions at its beginning and end.</summary>
    public static uint Add(uint crc, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length >= 8)
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[8..];
        }
        foreach (var b in bytes) crc = BitOperations.Crc32C(crc, b);
        return crc;
    }

    /// <summary>Counts a tensor in.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="dtype">Its dtype as the file names it.</param>
    /// <param name="shape">Its sizes.</param>
    /// <param name="crc">What <see cref="Add"/> gave for its data, beginning with ~0.</param>
    public void Tensor(string name, string dtype, IEnumerable<long> shape, uint crc) =>
        tensors.Add(name, string.Create(CultureInfo.InvariantCulture, $"{dtype} {string.Join(',', shape)} {~crc:x8}"));

    /// <summary>The checksum, as eight digits.</summary>
    public string Of(IEnumerable<KeyValuePair<string, string>> metadata)
    {
        var crc = ~0u;
        foreach (var (name, value) in tensors) crc = Line(Line(crc, name), value);
        foreach (var (name, value) in metadata.Where(m => m.Key != Key).OrderBy(m => m.Key, StringComparer.Ordinal))
            crc = Line(Line(crc, name), value);
        return (~crc).ToString("x8", CultureInfo.InvariantCulture);
    }

    // the length goes before, so that no two lists are the same bytes
    private static uint Line(uint crc, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        return Add(BitOperations.Crc32C(crc, (ulong)bytes.Length), bytes);
    }
}
