using System.Buffers.Binary;
using System.Text.Json;

namespace RealNvp;

/// <summary>Reads and checks a header; nothing in it is believed before it agrees with the size of the file.</summary>
internal static class SafeTensorsHeaderReader
{
    public const string MetadataName = "__metadata__";
    public const long MaxHeaderBytes = 100_000_000; // the limit of Python's package

    /// <summary>
    /// Limits of ours, for reading and for writing: a name of a few bytes costs a
    /// kilobyte of objects. Empty tensors are few in honest files, and cost no data.
    /// </summary>
    public const int MaxTensors = 1 << 18, MaxEmptyTensors = 1 << 12, MaxMetadata = 1 << 16, MaxNameBytes = 1 << 12;

    /// <summary>The most bytes of all metadata, names and texts: each costs two as a string, and up to two while it is
    /// read. The longest of ours is the history of a training, which reaches it with some 100,000 epochs.</summary>
    public const int MaxMetadataBytes = 1 << 25;

    /// <summary>Reads the header, and no byte behind it.</summary>
    /// <returns>It, and its tensors in the order of their data.</returns>
    public static (TensorTable Header, IReadOnlyList<TensorRecord> Entries) Read(SafeTensorsSource source)
    {
        var available = source.Left;
        if (available < 8)
            throw Bad(source, $"it has {available} bytes, but a safetensors file starts with 8 bytes that give the length of its header");
        Span<byte> prefix = stackalloc byte[8];
        source.ReadExactly(prefix);
        var length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > MaxHeaderBytes && OtherKind(prefix) is { } kind) throw Bad(source, kind);
        if (length < 2)
            throw Bad(source, $"it gives a header length of {length} bytes, but the shortest header, {{}}, has 2");
        if (source.Left is { } follow && length > (ulong)follow)
            throw Bad(source,
                $"it gives a header length of {length} bytes, but only {follow} bytes follow " +
                $"({(source.EndsWithFile ? "file size" : "size")} {available})");
        if (length > MaxHeaderBytes)
            throw Bad(source, $"it gives a header length of {length} bytes, but {MaxHeaderBytes} is the most that the format allows");
        try
        {
            var tokens = new HeaderTokens(source, (long)length);
            var header = SafeTensorsHeaderParser.Parse(ref tokens);
            TensorRecord[] entries = [.. header.Entries.Values.OrderBy(e => e.Begin).ThenBy(e => e.End)];
            CheckTiles(entries, header, source);
            return (header, entries);
        }
        // InvalidOperationException: a JSON string that is no UTF-8, or that has half of an escaped surrogate pair.
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException)
        {
            throw Bad(source, e is FormatException ? e.Message
                : $"its header is not JSON in UTF-8 as the format wants it ({e.Message.TrimEnd('.')})", e);
        }
    }

    // files that people take for ours
    private static string? OtherKind(ReadOnlySpan<byte> first) =>
        first.StartsWith("PK\u0003\u0004"u8) || first is [0x80, <= 5, 0x8a, 10, ..]
            ? "it begins as a file of torch.save does (.pt, .pth), which PyTorchFile.Load and the importers of the package RealNvp read"
        : first.SequenceEqual("version "u8) ? "it begins as a pointer of Git LFS does, in the place of the file. Fetch it: git lfs pull"
        : null;

    /// <summary>The tensors must cover the data exactly: no hole, no overlap; and in a file on disk no byte left over.</summary>
    private static void CheckTiles(IEnumerable<TensorRecord> entries, TensorTable header, SafeTensorsSource source)
    {
        long covered = 0;
        foreach (var entry in entries)
        {
            if (entry.Begin != covered)
                throw new FormatException(
                    $"the data of tensor '{FileText.Name(entry.Name)}' starts at byte {entry.Begin}, which " +
                    $"{(entry.Begin < covered ? "overlaps the tensor before it" : "leaves a hole after the tensor before it")}; " +
                    $"{covered} was expected");
            covered = entry.End;
        }
        if (source.EndsWithFile && covered < source.Left && header.Metadata.ContainsKey(StateFile.DetectorKey))
            throw new InvalidDataException(
                $"{source.Name} holds a detector with several models. Load it with AnomalyDetector.Load.");
        if (covered > source.Left || (source.EndsWithFile && covered != source.Left))
            throw new FormatException($"its tensors need {covered} bytes of data, but it has {source.Left}");
    }

    private static InvalidDataException Bad(SafeTensorsSource source, string what, Exception? inner = null)
    {
        return new($"{source.Name} is no valid safetensors file: {FileText.Sentence(what)}. Check that this is the file you mean; copy, " +
            $"download or save it again.", inner);
    }
}
