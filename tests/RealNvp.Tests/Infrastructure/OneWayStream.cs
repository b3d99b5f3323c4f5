namespace RealNvp.Tests.Infrastructure;

/// <summary>A stream that goes one way only, as a socket does: not seekable, and it
/// gives a few bytes at a time. It tells if somebody closed it.</summary>
internal sealed class OneWayStream(Stream inner, bool reads) : Stream
{
    private int turn;

    public bool IsClosed { get; private set; }

    /// <summary>The bytes that were read or written.</summary>
    public long Count { get; private set; }

    public override bool CanRead => reads && !IsClosed;

    public override bool CanSeek => false;

    public override bool CanWrite => !reads && !IsClosed;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override void Flush() { }

    public override int Read(Span<byte> buffer)
    {
        // 1, 2, 4 ... 65,536 bytes, so that every border between two reads is met
        var count = inner.Read(buffer[..Math.Min(buffer.Length, 1 << (turn++ % 17))]);
        Count += count;
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        inner.Write(buffer);
        Count += buffer.Length;
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        IsClosed = true;
        base.Dispose(disposing);
    }
}
