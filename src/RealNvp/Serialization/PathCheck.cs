using System.Formats.Tar;

namespace RealNvp;

/// <summary>
/// What lies at a path, before it is opened: only a regular file is read or replaced. To open a
/// pipe (FIFO) waits for its other end, perhaps for ever, and to read a device may never end.
/// </summary>
internal static class PathCheck
{
    /// <summary>Refuses what cannot be a file of ours.</summary>
    /// <exception cref="IOException">It is a folder, or nothing is there (<see cref="FileNotFoundException"/>).</exception>
    /// <exception cref="InvalidDataException">It is empty, as pipes, sockets and devices are too.</exception>
    public static void Readable(string path, string kind = "safetensors file")
    {
        var file = Path.GetFullPath(path);
        if (Directory.Exists(file)) throw Folder(path);
        if (IsDeviceName(file)) throw NoFile(path);
        if (new FileInfo(file).LinkTarget is { } link)
        {
            // behind a link such as /dev/stdin there may be what has no name
            if (File.ResolveLinkTarget(file, returnFinalTarget: true) is not { Exists: true } behind)
                throw new FileNotFoundException($"'{path}' is a link to {link}, and no file is there.", file);
            file = behind.FullName;
        }
        // .NET does not tell the kind of a file without opening it, but what is
        // no regular file has no length, and an empty file holds nothing
        if (new FileInfo(file) is { Exists: true, Length: 0 })
            throw new InvalidDataException(
                $"'{path}' is no valid {kind}: it has 0 bytes, as an empty file has, a pipe (FIFO), a socket or a device. " +
                $"Give the path of a file; the overloads with a stream read anything else.");
    }

    /// <summary>Refuses what must not, or cannot, be replaced by a file.</summary>
    /// <param name="path">As the user gave it.</param>
    /// <returns>The full path of the file to replace: behind a link, that which the link points to.</returns>
    /// <exception cref="IOException">It is a folder, a pipe, a socket or a device, or its
    /// folder does not exist (<see cref="DirectoryNotFoundException"/>).</exception>
    /// <exception cref="UnauthorizedAccessException">It is read-only.</exception>
    public static string Replaceable(string path)
    {
        var target = Path.GetFullPath(path);
        // A rename over a symbolic link would replace the link; what the user wants replaced is the file behind it.
        if (new FileInfo(target).LinkTarget is not null)
            target = File.ResolveLinkTarget(target, returnFinalTarget: true)?.FullName ?? target;
        if (IsDeviceName(target)) throw NoFile(path);
        if (Directory.Exists(target) || Path.EndsInDirectorySeparator(target)) throw Folder(path);
        var folder = Path.GetDirectoryName(target) ?? target;
        if (!Directory.Exists(folder))
        {
            var why = File.Exists(folder) ? $"'{folder}' is a file, no folder" : $"the folder '{folder}' does not exist. Create it first";
            throw new DirectoryNotFoundException($"'{path}' cannot be written: {why}.");
        }
        if (!File.Exists(target)) return target;
        if (File.GetAttributes(target).HasFlag(FileAttributes.ReadOnly))
            throw new UnauthorizedAccessException(
                $"'{path}' is read-only, so it stays as it is. Allow it to be written, or give another path.");
        if (new FileInfo(target).Length == 0 && !IsRegular(target)) throw NoFile(path);
        return target;
    }

    /// <summary>Whether a file is a regular one: no pipe, socket, device or link. It is not opened before that is known.</summary>
    public static bool IsRegular(string path)
    {
        if (OperatingSystem.IsWindows()) return !IsDeviceName(Path.GetFullPath(path));
        if (new FileInfo(path) is { LinkTarget: null, Length: > 0 }) return true;
        // The one place of .NET that tells the kind of a file: a tar archive stores it, in this byte of its header.
        const int kind = 156;
        using var header = new MemoryStream();
        try
        {
            using var tar = new TarWriter(header, TarEntryFormat.Gnu, leaveOpen: true);
            tar.WriteEntry(path, "file");
        }
        catch (UnauthorizedAccessException) { return true; } // it would have been read
        catch (IOException) { return false; } // a socket has no place in an archive
        return header.Length > kind && (TarEntryType)header.GetBuffer()[kind] is TarEntryType.RegularFile or TarEntryType.V7RegularFile;
    }

    private static IOException Folder(string path) => new($"'{path}' is a folder. Give the path of a file in it.");

    private static IOException NoFile(string path) =>
        new($"'{path}' is no regular file but a pipe (FIFO), a socket or a device, which are neither read nor replaced. Give the path " +
            $"of a file; the overloads with a stream take anything else.");

    // \\.\pipe\name, \\.\NUL: GetFullPath gives such a name for NUL too
    private static bool IsDeviceName(string full) => OperatingSystem.IsWindows() && full.StartsWith(@"\\.\", StringComparison.Ordinal)
        && full is not [_, _, _, _, _, ':', ..];
}
