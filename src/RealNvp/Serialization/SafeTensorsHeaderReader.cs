using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Unicode;
using Microsoft.Win32.SafeHandles;

namespace RealNvp;

/// <summary>Reads and checks a header; nothing in it is believed before it agrees with the size of the file.</summary>
internal static class SafeTensorsHeaderReader
{
    public const string MetadataName = "__metadata__";
    public const long MaxHeaderBytes = 100_000_000; // the limit of Python's package

    public static (SafeTensorsHeader Header, long DataStart) Read(SafeFileHandle file, string path)
    {
        var fileLength = RandomAccess.GetLength(file);
        if (fileLength < 8)
            throw Bad(path, $"it has {fileLength} bytes, but a safetensors file starts with 8 bytes that give the length of its header");
        Span<byte> prefix = stackalloc byte[8];
        SafeTensorsData.ReadExactly(file, path, prefix, 0);
        var length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length < 2)
            throw Bad(path, $"it gives a header length of {length} bytes, but the shortest header, {{}}, has 2");
        if (length > (ulong)(fileLength - 8))
            throw Bad(path, $"it gives a header length of {length} bytes, but only {fileLength - 8} bytes follow (file size {fileLength})");
        if (length > MaxHeaderBytes)
            throw Bad(path, $"it gives a header length of {length} bytes, but {MaxHeaderBytes} is the most that the format allows");

        var bytes = new byte[length];
        SafeTensorsData.ReadExactly(file, path, bytes, 8);
        if (!Utf8.IsValid(bytes)) throw Bad(path, "its header is not UTF-8 text");
        try
        {
            var header = SafeTensorsHeaderParser.Parse(bytes);
            var dataStart = 8 + (long)length;
            CheckTiles(header.Entries.Values, fileLength - dataStart);
            return (header, dataStart);
        }
        // InvalidOperationException: a JSON string with half of an escaped surrogate pair.
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException)
        {
            throw Bad(path, e is FormatException ? e.Message : $"its header is not JSON as the format wants it ({e.Message.TrimEnd('.')})", e);
        }
    }

    /// <summary>The tensors must cover the data exactly: no hole, no overlap, no byte left over.</summary>
    private static void CheckTiles(IEnumerable<SafeTensorsEntry> entries, long dataLength)
    {
        long covered = 0;
        foreach (var entry in entries.OrderBy(e => e.Begin).ThenBy(e => e.End))
        {
            if (entry.Begin != covered)
                throw new FormatException($"the data of tensor '{entry.Name}' starts at byte {entry.Begin}, which {(entry.Begin < covered ? "overlaps the tensor before it" : "leaves a hole after the tensor before it")}; {covered} was expected");
            covered = entry.End;
        }
        if (covered != dataLength)
            throw new FormatException($"its tensors need {covered} bytes of data, but it has {dataLength}");
    }

    private static InvalidDataException Bad(string path, string what, Exception? inner = null)
    {
        // Names come from the file and can be megabytes long.
        if (what.Length > 800) what = what[..800] + "...";
        return new($"'{path}' is no valid safetensors file: {what}. Check that this is the file you mean; copy, download or save it again.", inner);
    }
}
