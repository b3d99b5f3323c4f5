namespace RealNvp;

/// <summary>The description of one tensor of a safetensors file, as its header has it.</summary>
/// <param name="name">The name of the tensor.</param>
/// <param name="dtype">The type of its elements as the format names it, one of <see cref="TensorDtypes"/>.</param>
/// <param name="elementSize">The bytes of an element.</param>
/// <param name="shape">Its sizes.</param>
/// <param name="begin">Where its data begin, from the first byte of all data.</param>
/// <param name="end">Where they end.</param>
internal sealed class TensorRecord(string name, string dtype, int elementSize, IReadOnlyList<long> shape, long begin, long end)
{
    public string Name => name;

    public string DType => dtype;

    public int ElementSize => elementSize;

    public IReadOnlyList<long> Shape => shape;

    public long Begin => begin;

    public long End => end;

    public long ByteCount => end - begin;
}

/// <summary>The header of a safetensors file.</summary>
/// <param name="metadata">The strings of its <c>__metadata__</c>.</param>
/// <param name="entries">Its tensors by name.</param>
internal sealed class TensorTable(IReadOnlyDictionary<string, string> metadata, IReadOnlyDictionary<string, TensorRecord> entries)
{
    public IReadOnlyDictionary<string, string> Metadata => metadata;

    public IReadOnlyDictionary<string, TensorRecord> Entries => entries;
}

/// <summary>The types of elements that files of ours have, by the names of the format.</summary>
internal static class TensorDtypes
{
    private static readonly (string Name, int Size)[] table =
    [
        ("F64", 8), ("F32", 4), ("F16", 2), ("BF16", 2), ("I64", 8), ("I32", 4), ("I16", 2), ("I8", 1), ("U8", 1), ("BOOL", 1),
    ];

    public static string Names { get; } = string.Join(", ", table.Select(row => row.Name));

    /// <summary>The bytes of an element; null for a type that is not known.</summary>
    public static int? SizeOf(string name)
    {
        foreach (var row in table)
            if (row.Name == name) return row.Size;
        return null;
    }
}
