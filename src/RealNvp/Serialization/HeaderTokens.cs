using System.Text.Json;

namespace RealNvp;

/// <summary>The JSON tokens of a header, read from a stream as they are needed:
/// what is refused early costs no more than what came before it.</summary>
internal ref struct HeaderTokens
{
    private const int FirstPiece = 1 << 16;

    private readonly SafeTensorsSource source;
    private byte[] buffer;
    private int filled;
    private long left;
    private Utf8JsonReader reader;

    /// <param name="source">Stands at the first byte of the header.</param>
    /// <param name="length">The number of its bytes; this one reads them all and none behind them.</param>
    public HeaderTokens(SafeTensorsSource source, long length)
    {
        (this.source, left) = (source, length);
        buffer = new byte[Math.Min(length, FirstPiece)];
        Fill(0, default);
    }

    public readonly JsonTokenType TokenType => reader.TokenType;

    /// <summary>The number of bytes of the token.</summary>
    public readonly int Length => reader.ValueSpan.Length;

    /// <summary>Goes to the next token; false at the end of the header.</summary>
    /// <param name="most">The most bytes that it may have.</param>
    /// <param name="tooLong">What is said of a longer one.</param>
    /// <exception cref="FormatException">It is longer.</exception>
    public bool Read(int most = int.MaxValue, string tooLong = "")
    {
        while (!reader.Read())
        {
            if (left == 0) return false;
            var rest = buffer.AsSpan((int)reader.BytesConsumed, filled - (int)reader.BytesConsumed);
            if (rest.Length > most) throw new FormatException(tooLong);
            // one token that fills the buffer: it is as long as what has come, and no longer than the header or what it may have
            var next = rest.Length > buffer.Length / 2
                ? new byte[Math.Min(Math.Min(2L * buffer.Length, rest.Length + left), (long)most + FirstPiece)] : buffer;
            rest.CopyTo(next);
            buffer = next;
            Fill(rest.Length, reader.CurrentState);
        }
        return reader.ValueSpan.Length <= most ? true : throw new FormatException(tooLong);
    }

    public readonly string? GetString() => reader.GetString();

    public readonly bool TryGetInt64(out long value) => reader.TryGetInt64(out value);

    private void Fill(int kept, JsonReaderState state)
    {
        var count = (int)Math.Min(buffer.Length - kept, left);
        source.ReadExactly(buffer.AsSpan(kept, count));
        left -= count;
        filled = kept + count;
        reader = new Utf8JsonReader(buffer.AsSpan(0, filled), isFinalBlock: left == 0, state);
    }
}
