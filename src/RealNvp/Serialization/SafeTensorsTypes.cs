using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The dtypes that the format and TorchSharp share.</summary>
internal static class SafeTensorsTypes
{
    private static readonly (string Name, ScalarType Type, int Size)[] Table =
    [
        ("F64", ScalarType.Float64, 8), ("F32", ScalarType.Float32, 4), ("F16", ScalarType.Float16, 2), ("BF16", ScalarType.BFloat16, 2),
        ("I64", ScalarType.Int64, 8), ("I32", ScalarType.Int32, 4), ("I16", ScalarType.Int16, 2), ("I8", ScalarType.Int8, 1),
        ("U8", ScalarType.Byte, 1), ("BOOL", ScalarType.Bool, 1),
    ];

    public static string Names { get; } = string.Join(", ", Table.Select(row => row.Name));

    public static (string Name, int Size)? Find(ScalarType type)
    {
        foreach (var row in Table)
            if (row.Type == type) return (row.Name, row.Size);
        return null;
    }

    public static (ScalarType Type, int Size)? Find(string name)
    {
        foreach (var row in Table)
            if (row.Name == name) return (row.Type, row.Size);
        return null;
    }
}
