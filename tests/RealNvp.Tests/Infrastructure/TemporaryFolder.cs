using System.Buffers.Binary;
using System.IO.Compression;

namespace RealNvp.Tests.Infrastructure;

/// <summary>An empty folder, for small made-up files, deleted at the end.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("realnvp-test-").FullName;

    /// <summary>The path of a file of this name in the folder.</summary>
    public string At(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>The names of what lies in the folder, in order.</summary>
    public string[] Names =>
        [.. Directory.GetFileSystemEntries(Path).Select(p => System.IO.Path.GetFileName(p)).Order(StringComparer.Ordinal)];

    public string Write(string name, params byte[] bytes)
    {
        var path = At(name);
        using var file = File.Create(path);
        using Stream stream = System.IO.Path.GetExtension(name) switch
        {
            ".gz" => new GZipStream(file, CompressionLevel.Fastest),
            ".br" => new BrotliStream(file, CompressionLevel.Fastest),
            _ => file,
        };
        stream.Write(bytes);
        return path;
    }

    public string Write(string name, string text)
    {
        var path = At(name);
        File.WriteAllText(path, text);
        return path;
    }

    /// <summary>The bytes of an idx file; the data may be more or fewer than the sizes say.</summary>
    public static byte[] Idx(uint[] sizes, byte[] data)
    {
        var header = new byte[4 + 4 * sizes.Length];
        (header[2], header[3]) = (8, (byte)sizes.Length);
        for (var i = 0; i < sizes.Length; i++) BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(4 + 4 * i), sizes[i]);
        return [.. header, .. data];
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
