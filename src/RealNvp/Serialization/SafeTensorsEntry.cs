using TorchSharp;

namespace RealNvp;

/// <summary>The description of one tensor of a safetensors file.</summary>
public sealed class SafeTensorsEntry
{
    internal SafeTensorsEntry(string name, torch.ScalarType dtype, IReadOnlyList<long> shape, long begin, long end) =>
        (Name, DType, Shape, Begin, End) = (name, dtype, shape, begin, end);

    /// <summary>The name of the tensor.</summary>
    public string Name { get; }

    /// <summary>The type of its elements.</summary>
    public torch.ScalarType DType { get; }

    /// <summary>Its sizes, each at least 0; empty for a tensor without dimensions, which holds one element.</summary>
    public IReadOnlyList<long> Shape { get; }

    /// <summary>The size of its data in bytes.</summary>
    public long ByteCount => End - Begin;

    internal long Begin { get; }

    internal long End { get; }

    /// <summary>The name, dtype and shape.</summary>
    public override string ToString() => $"{Name}: {DType} [{string.Join(", ", Shape)}]";
}
