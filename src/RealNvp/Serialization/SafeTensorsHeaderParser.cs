using System.Text.Json;

namespace RealNvp;

/// <summary>Parses the JSON of a header. Throws <see cref="JsonException"/>
/// or <see cref="FormatException"/> on anything unexpected.</summary>
internal static class SafeTensorsHeaderParser
{
    private const int MaxDimensions = 64; // libtorch's own limit

    private static readonly string TooLongName =
        $"its header has a name of more than {SafeTensorsHeaderReader.MaxNameBytes} bytes, the most that is read";
    private static readonly string TooMuchMetadata =
        $"its metadata have more than {SafeTensorsHeaderReader.MaxMetadataBytes} bytes, the most that are read";

    public static TensorTable Parse(ref HeaderTokens reader)
    {
        // Each level is expected by name, so nothing recurses and deep nesting ends at the first level that is too many.
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        var entries = new Dictionary<string, TensorRecord>(StringComparer.Ordinal);
        var (hasMetadata, empty) = (false, 0);
        Expect(ref reader, JsonTokenType.StartObject, "the header");
        while (NextName(ref reader, "the header") is { } name)
        {
            if (name == SafeTensorsHeaderReader.MetadataName)
            {
                if (hasMetadata) throw new FormatException("its header has '__metadata__' twice");
                hasMetadata = true;
                ReadMetadata(ref reader, metadata);
            }
            else
            {
                var entry = ReadEntry(ref reader, name);
                if (!entries.TryAdd(name, entry)) throw new FormatException($"its header has the tensor '{FileText.Name(name)}' twice");
                if (entries.Count > SafeTensorsHeaderReader.MaxTensors)
                    throw new FormatException(
                        $"its header has more than {SafeTensorsHeaderReader.MaxTensors} tensors, the most that are read");
                if (entry.ByteCount == 0 && ++empty > SafeTensorsHeaderReader.MaxEmptyTensors)
                    throw new FormatException(
                        $"its header has more than {SafeTensorsHeaderReader.MaxEmptyTensors} tensors without elements, the most that " +
                        $"are read");
            }
        }
        if (reader.Read()) throw new FormatException($"its header has {reader.TokenType} after its end");
        return new TensorTable(metadata, entries);
    }

    private static void ReadMetadata(ref HeaderTokens reader, Dictionary<string, string> metadata)
    {
        Expect(ref reader, JsonTokenType.StartObject, "'__metadata__'");
        var left = SafeTensorsHeaderReader.MaxMetadataBytes;
        while (NextName(ref reader, "'__metadata__'") is { } name)
        {
            left -= reader.Length;
            Expect(ref reader, JsonTokenType.String, "metadata", name, Math.Max(0, left), TooMuchMetadata);
            left -= reader.Length;
            if (!metadata.TryAdd(name, reader.GetString()!)) throw new FormatException($"its metadata has '{FileText.Name(name)}' twice");
            if (metadata.Count > SafeTensorsHeaderReader.MaxMetadata)
                throw new FormatException(
                    $"its metadata has more than {SafeTensorsHeaderReader.MaxMetadata} names, the most that are read");
        }
    }

    private static TensorRecord ReadEntry(ref HeaderTokens reader, string name)
    {
        string? dtype = null;
        List<long>? shape = null, offsets = null;
        Expect(ref reader, JsonTokenType.StartObject, "tensor", name);
        while (NextName(ref reader, "tensor", name) is { } field)
        {
            var twice = false;
            switch (field)
            {
                case "dtype":
                    Expect(ref reader, JsonTokenType.String, "the dtype of tensor", name);
                    twice = dtype is not null;
                    dtype = reader.GetString();
                    break;
                case "shape":
                    twice = shape is not null;
                    shape = ReadNumbers(ref reader, MaxDimensions, "the shape of tensor", name);
                    break;
                case "data_offsets":
                    twice = offsets is not null;
                    offsets = ReadNumbers(ref reader, 2, "the data_offsets of tensor", name);
                    break;
                default:
                    throw new FormatException(
                        $"tensor '{FileText.Name(name)}' has an unknown field '{FileText.Name(field)}'; dtype, shape and data_offsets " +
                        $"were expected");
            }
            if (twice) throw new FormatException($"tensor '{FileText.Name(name)}' has the field '{FileText.Name(field)}' twice");
        }
        if (dtype is null || shape is null || offsets is not { Count: 2 })
            throw new FormatException($"tensor '{FileText.Name(name)}' needs dtype, shape and two data_offsets");
        return Check(name, dtype, shape, offsets[0], offsets[1]);
    }

    private static TensorRecord Check(string name, string dtype, List<long> shape, long begin, long end)
    {
        var size = TensorDtypes.SizeOf(dtype)
            ?? throw new FormatException(
                $"tensor '{FileText.Name(name)}' has the dtype '{FileText.Name(dtype)}', which is not supported; supported are " +
                $"{TensorDtypes.Names}");
        // libtorch multiplies sizes for strides with 0 taken as 1, so that product must fit as well.
        UInt128 bytes = (UInt128)size, strides = (UInt128)size;
        foreach (var length in shape)
        {
            bytes *= (UInt128)length;
            strides *= (UInt128)Math.Max(length, 1);
            if (strides > long.MaxValue)
                throw new FormatException(
                    $"the shape [{string.Join(", ", shape)}] of tensor '{FileText.Name(name)}' is too large for 64 bits");
        }
        if (end < begin || (UInt128)(end - begin) != bytes)
            throw new FormatException(
                $"tensor '{FileText.Name(name)}' of dtype {FileText.Name(dtype)} and shape [{string.Join(", ", shape)}] needs {bytes} " +
                $"bytes, but its data_offsets are [{begin}, {end}]");
        return new TensorRecord(name, dtype, size, shape.AsReadOnly(), begin, end);
    }

    private static List<long> ReadNumbers(ref HeaderTokens reader, int most, string what, string name)
    {
        var numbers = new List<long>();
        Expect(ref reader, JsonTokenType.StartArray, what, name);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out var number) || number < 0)
                throw new FormatException($"{what} '{FileText.Name(name)}' has an entry that is no whole number from 0 to {long.MaxValue}");
            if (numbers.Count == most) throw new FormatException($"{what} '{FileText.Name(name)}' has more than {most} entries");
            numbers.Add(number);
        }
        return numbers;
    }

    /// <summary>The next member's name, or null at the end of the object.</summary>
    private static string? NextName(ref HeaderTokens reader, string what, string? name = null)
    {
        if (!reader.Read(SafeTensorsHeaderReader.MaxNameBytes, TooLongName)) throw new FormatException($"{Named(what, name)} has no end");
        return reader.TokenType == JsonTokenType.EndObject ? null : reader.GetString();
    }

    private static void Expect(ref HeaderTokens reader, JsonTokenType type, string what, string? name = null, int most = int.MaxValue,
        string tooLong = "")
    {
        if (!reader.Read(most, tooLong) || reader.TokenType != type)
            throw new FormatException($"{Named(what, name)} was expected to be {type}, but is {reader.TokenType}");
    }

    // messages are put together only when they are needed: there is a name for every tensor
    private static string Named(string what, string? name) => name is null ? what : $"{what} '{FileText.Name(name)}'";
}
