using System.Buffers.Binary;
using System.Text;

namespace RealNvp.Onnx;

/// <summary>A message of Protocol Buffers: varints, numbers of four bytes, and
/// what has a length. Large parts are kept as they came, and not copied.</summary>
internal sealed class ProtoMessage
{
    // a part below it is copied beside its neighbours
    private const int Large = 4096;

    private readonly List<ReadOnlyMemory<byte>> parts = [];
    private MemoryStream? last;

    /// <summary>The number of bytes.</summary>
    public long Length { get; private set; }

    public ProtoMessage Int(int field, long value)
    {
        Varint((ulong)field << 3);
        Varint((ulong)value);
        return this;
    }

    public ProtoMessage Float(int field, float value)
    {
        Varint(((ulong)field << 3) | 5);
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteSingleLittleEndian(bytes, value);
        Append(bytes);
        return this;
    }

    public ProtoMessage Text(int field, string value) => Bytes(field, Encoding.UTF8.GetBytes(value));

    public ProtoMessage Bytes(int field, ReadOnlyMemory<byte> value)
    {
        Header(field, value.Length);
        Append(value);
        return this;
    }

    public ProtoMessage Message(int field, ProtoMessage value)
    {
        value.Close();
        Header(field, value.Length);
        foreach (var part in value.parts) Append(part);
        return this;
    }

    public void WriteTo(Stream stream)
    {
        Close();
        foreach (var part in parts) stream.Write(part.Span);
    }

    private void Header(int field, long length)
    {
        Varint(((ulong)field << 3) | 2);
        Varint((ulong)length);
    }

    private void Varint(ulong value)
    {
        Span<byte> bytes = stackalloc byte[10];
        var count = 0;
        for (; value > 127; value >>= 7) bytes[count++] = (byte)(value | 128);
        bytes[count++] = (byte)value;
        Append(bytes[..count]);
    }

    private void Append(ReadOnlySpan<byte> bytes)
    {
        (last ??= new()).Write(bytes);
        Length += bytes.Length;
    }

    private void Append(ReadOnlyMemory<byte> bytes)
    {
        if (bytes.Length < Large)
        {
            Append(bytes.Span);
            return;
        }
        Close();
        parts.Add(bytes);
        Length += bytes.Length;
    }

    private void Close()
    {
        if (last is null) return;
        parts.Add(last.GetBuffer().AsMemory(0, (int)last.Length));
        last = null;
    }
}
