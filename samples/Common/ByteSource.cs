using System.IO.Compression;

namespace RealNvp.Samples.Common;

/// <summary>Reads files that are plain or compressed (.gz, .br) without trusting any size that they state.</summary>
internal static class ByteSource
{
    /// <summary>Opens a file and reads it with <paramref name="read"/>; what a
    /// broken compressed file throws becomes one clear error.</summary>
    public static T Read<T>(string path, Func<Stream, T> read)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        if (!File.Exists(path)) throw new FileNotFoundException($"There is no file {path}.", path);
        using var file = File.OpenRead(path);
        using Stream stream = Path.GetExtension(path).ToUpperInvariant() switch
        {
            ".GZ" => new GZipStream(file, CompressionMode.Decompress),
            ".BR" => new BrotliStream(file, CompressionMode.Decompress),
            _ => file,
        };
        try
        {
            return read(stream);
        }
        catch (Exception e) when (stream != file && e is InvalidDataException or InvalidOperationException or IOException
            && e is not DataFormatException)
        {
            throw new DataFormatException(
                $"{path} cannot be decompressed: it is truncated, or it is not what its ending says. ({e.Message})", e);
        }
    }

    /// <summary>Reads up to <paramref name="limit"/> bytes. Memory grows with the bytes that really come.</summary>
    public static ArraySegment<byte> UpTo(Stream stream, long limit)
    {
        var block = new byte[81_920];
        using var bytes = new MemoryStream();
        while (bytes.Length < limit)
        {
            var count = stream.Read(block, 0, (int)Math.Min(block.Length, limit - bytes.Length));
            if (count == 0) break;
            bytes.Write(block, 0, count);
        }
        return new ArraySegment<byte>(bytes.GetBuffer(), 0, (int)bytes.Length);
    }
}
