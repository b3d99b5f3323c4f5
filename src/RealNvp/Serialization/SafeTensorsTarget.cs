namespace RealNvp;

/// <summary>Where a file is written to: a path, which is replaced in one step, or a stream of the user's, which stays open.</summary>
internal readonly struct SafeTensorsTarget
{
    // many tensors are small, and a write to a socket or to a disk costs the same for a few bytes
    private const int BufferBytes = 1 << 16;

    private readonly string? path;
    private readonly Stream? stream;

    public SafeTensorsTarget(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        this.path = path;
    }

    /// <exception cref="ArgumentException">The stream is closed, or cannot be written.</exception>
    public SafeTensorsTarget(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        if (!stream.CanWrite)
            throw new ArgumentException(
                $"The {stream.GetType().Name} is closed, or is only for reading. Pass an open stream that can be written.", nameof(stream));
        this.stream = stream;
    }

    /// <summary>Lets <paramref name="write"/> fill the file.</summary>
    public void Write(Action<Stream> write)
    {
        if (stream is null) AtomicFile.Write(path!, file => Through(file, write));
        else Through(stream, write);
    }

    private static void Through(Stream stream, Action<Stream> write)
    {
        // never disposed, which would close the stream behind it; it holds nothing else
        var buffered = new BufferedStream(stream, BufferBytes);
        write(buffered);
        buffered.Flush();
    }
}
