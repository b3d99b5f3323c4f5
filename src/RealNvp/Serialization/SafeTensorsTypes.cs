using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The dtypes that the format and TorchSharp share.</summary>
internal static class SafeTensorsTypes
{
    private static readonly (string Name, ScalarType Type)[] Table =
    [
        ("F64", ScalarType.Float64), ("F32", ScalarType.Float32), ("F16", ScalarType.Float16), ("BF16", ScalarType.BFloat16),
        ("I64", ScalarType.Int64), ("I32", ScalarType.Int32), ("I16", ScalarType.Int16), ("I8", ScalarType.Int8),
        ("U8", ScalarType.Byte), ("BOOL", ScalarType.Bool),
    ];

    public static string Names => TensorDtypes.Names;

    public static (string Name, int Size)? Find(ScalarType type)
    {
        foreach (var row in Table)
            if (row.Type == type) return (row.Name, TensorDtypes.SizeOf(row.Name)!.Value);
        return null;
    }

    /// <summary>The dtype that a file names by one of <see cref="TensorDtypes"/>.</summary>
    public static ScalarType Of(string name) => Table.First(row => row.Name == name).Type;
}
