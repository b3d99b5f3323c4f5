using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.PyTorch;

/// <summary>The element types that a file of PyTorch can name and that tensors here can have.</summary>
internal static class PyTorchTypes
{
    private static readonly Dictionary<string, ScalarType> ofStorage = new(StringComparer.Ordinal)
    {
        ["DoubleStorage"] = ScalarType.Float64, ["FloatStorage"] = ScalarType.Float32, ["HalfStorage"] = ScalarType.Float16,
        ["BFloat16Storage"] = ScalarType.BFloat16, ["LongStorage"] = ScalarType.Int64, ["IntStorage"] = ScalarType.Int32,
        ["ShortStorage"] = ScalarType.Int16, ["CharStorage"] = ScalarType.Int8, ["ByteStorage"] = ScalarType.Byte,
        ["BoolStorage"] = ScalarType.Bool, ["ComplexFloatStorage"] = ScalarType.ComplexFloat32,
        ["ComplexDoubleStorage"] = ScalarType.ComplexFloat64,
    };

    private static readonly Dictionary<string, ScalarType> ofName = new(StringComparer.Ordinal)
    {
        ["float64"] = ScalarType.Float64, ["float32"] = ScalarType.Float32, ["float16"] = ScalarType.Float16,
        ["bfloat16"] = ScalarType.BFloat16, ["int64"] = ScalarType.Int64, ["int32"] = ScalarType.Int32, ["int16"] = ScalarType.Int16,
        ["int8"] = ScalarType.Int8, ["uint8"] = ScalarType.Byte, ["bool"] = ScalarType.Bool, ["complex64"] = ScalarType.ComplexFloat32,
        ["complex128"] = ScalarType.ComplexFloat64,
    };

    /// <summary>The element type of <c>torch.FloatStorage</c> and its like; null for an unknown one.</summary>
    public static ScalarType? OfStorage(string name) => ofStorage.TryGetValue(name, out var type) ? type : null;

    /// <summary>The element type that <c>torch.float32</c> and its like name; null for an unknown one.</summary>
    public static ScalarType? OfName(string name) => ofName.TryGetValue(name, out var type) ? type : null;

    /// <summary>The bytes of one element.</summary>
    public static int SizeOf(ScalarType type) => type switch
    {
        ScalarType.ComplexFloat64 => 16,
        ScalarType.Float64 or ScalarType.Int64 or ScalarType.ComplexFloat32 => 8,
        ScalarType.Float32 or ScalarType.Int32 => 4,
        ScalarType.Float16 or ScalarType.BFloat16 or ScalarType.Int16 => 2,
        _ => 1,
    };
}
