using System.Buffers.Binary;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Checks everything first, so that a mistake of the caller costs no file; then writes header and data.</summary>
internal sealed class SafeTensorsWriter
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
    private readonly List<(string Name, Tensor Tensor, string Type, int Size)> entries = [];
    private readonly List<KeyValuePair<string, string>> metadata = [];

    public SafeTensorsWriter(IReadOnlyDictionary<string, Tensor> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        AtMost(tensors.Count, SafeTensorsHeaderReader.MaxTensors, "tensors", nameof(tensors));
        AtMost(metadata?.Count ?? 0, SafeTensorsHeaderReader.MaxMetadata, "metadata", nameof(metadata));
        foreach (var (name, tensor) in tensors)
        {
            CheckName(name, nameof(tensors));
            if (name == SafeTensorsHeaderReader.MetadataName)
                throw new ArgumentException($"'{name}' is the name of the metadata in this format. Give the tensor another name.",
                    nameof(tensors));
            if (tensor is null || tensor.IsInvalid)
                throw new ArgumentException($"The tensor '{name}' is null or disposed. Pass a live tensor.", nameof(tensors));
            var (type, size) = SafeTensorsTypes.Find(tensor.dtype)
                ?? throw new ArgumentException(
                    $"The tensor '{name}' has dtype {tensor.dtype}, which the format lacks. Convert it to one of {SafeTensorsTypes.Names}.",
                    nameof(tensors));
            if (tensor.is_sparse || tensor.device_type == DeviceType.META)
                throw new ArgumentException(
                    $"The tensor '{name}' is {(tensor.is_sparse ? "sparse" : "on the meta device and has no data")}. Pass a dense tensor.",
                    nameof(tensors));
            entries.Add((name, tensor, type, size));
        }
        AtMost(entries.Count(e => e.Tensor.numel() == 0), SafeTensorsHeaderReader.MaxEmptyTensors, "tensors without elements",
            nameof(tensors));
        // Large elements first keeps every tensor aligned to its element size, as in Python's files.
        entries.Sort((a, b) => a.Size != b.Size ? b.Size.CompareTo(a.Size) : string.CompareOrdinal(a.Name, b.Name));

        var given = metadata ?? new Dictionary<string, string>();
        if (given.ContainsKey(Checksum.Key)) given = new Dictionary<string, string>(given) { [Checksum.Key] = ChecksumOf(given) };
        foreach (var (name, text) in given)
        {
            CheckName(name, nameof(metadata));
            CheckText(text, nameof(metadata));
            this.metadata.Add(new(name, text));
        }
        this.metadata.Sort((a, b) => string.CompareOrdinal(a.Key, b.Key));
    }

    public void WriteTo(Stream stream)
    {
        var header = Header();
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
        stream.Write(length);
        stream.Write(header);
        foreach (var entry in entries) EachPiece(entry.Tensor, stream.Write);
    }

    private string ChecksumOf(IReadOnlyDictionary<string, string> metadata)
    {
        var checksum = new Checksum();
        foreach (var entry in entries)
        {
            var crc = ~0u;
            EachPiece(entry.Tensor, bytes => crc = Checksum.Add(crc, bytes));
            checksum.Tensor(entry.Name, entry.Type, entry.Tensor.shape, crc);
        }
        return checksum.Of(metadata);
    }

    private static void EachPiece(Tensor tensor, Action<ReadOnlySpan<byte>> use)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        SafeTensorsData.ForEachPiece(tensor.detach().FetchTensor().contiguous(), 0, bytes => use(bytes));
    }

    private byte[] Header()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            if (metadata.Count > 0)
            {
                json.WriteStartObject(SafeTensorsHeaderReader.MetadataName);
                foreach (var (name, text) in metadata) json.WriteString(name, text);
                json.WriteEndObject();
                if (json.BytesCommitted + json.BytesPending > SafeTensorsHeaderReader.MaxMetadataBytes)
                    throw new ArgumentException(
                        $"The metadata have {json.BytesCommitted + json.BytesPending} bytes; a file can hold at most " +
                        $"{SafeTensorsHeaderReader.MaxMetadataBytes}. Use fewer or shorter texts, or put them into a tensor of bytes.");
            }
            long offset = 0;
            foreach (var entry in entries)
            {
                json.WriteStartObject(entry.Name);
                json.WriteString("dtype", entry.Type);
                json.WriteStartArray("shape");
                foreach (var size in entry.Tensor.shape) json.WriteNumberValue(size);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                json.WriteNumberValue(offset += checked(entry.Tensor.numel() * entry.Size));
                json.WriteEndArray();
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        // The format allows spaces after the header; they align the data to 8 bytes.
        while (buffer.Length % 8 != 0) buffer.WriteByte((byte)' ');
        if (buffer.Length > SafeTensorsHeaderReader.MaxHeaderBytes)
            throw new ArgumentException(
                $"The header would have {buffer.Length} bytes; the format allows {SafeTensorsHeaderReader.MaxHeaderBytes}. Use fewer or " +
                $"shorter names and metadata.");
        return buffer.ToArray();
    }

    // what the reader refuses is not written
    private static void AtMost(int count, int most, string what, string parameter)
    {
        if (count > most)
            throw new ArgumentException($"A file can hold at most {most} {what}; got {count}. Join some of them, or use several files.",
                parameter);
    }

    // as it stands in the JSON, in which a few characters are longer
    private static void CheckName(string? name, string parameter)
    {
        var bytes = CheckText(name, parameter);
        if (bytes > SafeTensorsHeaderReader.MaxNameBytes / 6 && JsonEncodedText.Encode(name!,
            JavaScriptEncoder.UnsafeRelaxedJsonEscaping).EncodedUtf8Bytes.Length > SafeTensorsHeaderReader.MaxNameBytes)
            throw new ArgumentException(
                $"A name can have at most {SafeTensorsHeaderReader.MaxNameBytes} bytes in UTF-8; got {bytes}, '{name![..50]}...'. Give " +
                $"it a shorter one.", parameter);
    }

    private static int CheckText(string? text, string parameter)
    {
        ArgumentNullException.ThrowIfNull(text, parameter);
        try { return StrictUtf8.GetByteCount(text); }
        catch (EncoderFallbackException e) { throw new ArgumentException(
            "A name or text has half of a surrogate pair and cannot be written as UTF-8. Correct the text.", parameter, e); }
    }
}
