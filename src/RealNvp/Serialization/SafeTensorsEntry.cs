using TorchSharp;

namespace RealNvp;

/// <summary>The description of one tensor of a safetensors file.</summary>
public sealed class SafeTensorsEntry
{
    internal SafeTensorsEntry(TensorRecord record) => (Name, DType, Shape, ByteCount) =
        (record.Name, SafeTensorsTypes.Of(record.DType), record.Shape, record.ByteCount);

    /// <summary>The name of the tensor.</summary>
    public string Name { get; }

    /// <summary>The type of its elements.</summary>
    public torch.ScalarType DType { get; }

    /// <summary>Its sizes, each at least 0; empty for a tensor without dimensions, which holds one element.</summary>
    public IReadOnlyList<long> Shape { get; }

    /// <summary>The size of its data in bytes.</summary>
    public long ByteCount { get; }

    /// <summary>The name, dtype and shape.</summary>
    public override string ToString() => $"{Name}: {DType} [{string.Join(", ", Shape)}]";
}
