namespace RealNvp;

/// <summary>The bytes of one safetensors file, taken from a stream one
/// after the other: never back, and never past what is asked for.</summary>
internal sealed class SafeTensorsSource : IDisposable
{
    // what may be allocated on the word of a header for bytes that have not come yet
    private const long Trust = 1 << 24;

    private readonly Stream stream;
    private readonly bool owns;
    private readonly long? length;

    private SafeTensorsSource(Stream stream, string name, bool owns)
    {
        (this.stream, Name, this.owns) = (stream, name, owns);
        length = LengthOf(stream);
    }

    /// <summary>What messages call it: the path in quotes, or "The stream".</summary>
    public string Name { get; }

    /// <summary>The number of bytes read so far.</summary>
    public long Position { get; private set; }

    /// <summary>The number of bytes that are still to come; null if the stream does not tell.</summary>
    public long? Left => length - Position;

    /// <summary>Whether nothing may follow on the file, as in a file on disk; in a stream another one may.</summary>
    public bool EndsWithFile => owns;

    /// <summary>How many bytes may be allocated before they have come: all that are there, or as many as have come before.</summary>
    public long Believable => Left ?? Math.Max(Trust, Position);

    /// <summary>Opens a file on disk, which <see cref="Dispose"/> closes.</summary>
    public static SafeTensorsSource Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        PathCheck.Readable(path);
        // without a buffer of its own: tensors are read straight into their memory
        return new(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0, FileOptions.SequentialScan),
            $"'{path}'", owns: true);
    }

    /// <summary>Reads a stream of the user's, from where it stands; it stays open.</summary>
    /// <exception cref="ArgumentException">The stream is closed, or cannot be read.</exception>
    public static SafeTensorsSource Of(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        if (!stream.CanRead)
            throw new ArgumentException(
                $"The {stream.GetType().Name} is closed, or is only for writing. Pass an open stream that can be read.", nameof(stream));
        return new(stream, stream is FileStream file ? $"'{file.Name}'" : "The stream", owns: false);
    }

    /// <summary>Fills <paramref name="bytes"/> with the next ones.</summary>
    /// <exception cref="InvalidDataException">The stream ends before.</exception>
    public void ReadExactly(Span<byte> bytes)
    {
        var read = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        Position += read;
        if (read < bytes.Length)
            throw new InvalidDataException(
                $"{Name} ended after {Position} bytes, while {bytes.Length - read} more were expected: it is cut off, or another " +
                $"program changed it. Copy, download or save it again.");
    }

    public void Dispose()
    {
        if (owns) stream.Dispose();
    }

    private static long? LengthOf(Stream stream)
    {
        if (!stream.CanSeek) return null;
        try { return Math.Max(0, stream.Length - stream.Position); }
        // some say that they can, and cannot
        catch (NotSupportedException) { return null; }
    }
}
