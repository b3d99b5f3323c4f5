using TorchSharp;

namespace RealNvp.PyTorch;

/// <summary>A function or class that a pickle names; naming one does nothing.</summary>
internal sealed record PickleName(string Module, string Member)
{
    /// <summary>As Python writes it, and as a message may show it.</summary>
    public override string ToString() => FileText.Name($"{Module}.{Member}");
}

/// <summary>The memory that one or more tensors of a file look at. It is not read yet.</summary>
/// <param name="Key">What the file calls it.</param>
/// <param name="Type">The type of its elements.</param>
/// <param name="Count">How many the pickle says that there are.</param>
internal sealed record PickleStorage(string Key, torch.ScalarType Type, long Count)
{
    /// <summary>Its size in bytes.</summary>
    public long Bytes => checked(Count * PyTorchTypes.SizeOf(Type));
}

/// <summary>A tensor of a file before its numbers are read: a view of a storage.</summary>
internal sealed class PickleTensor(PickleStorage storage, long offset, long[] shape, long[] strides)
{
    public PickleStorage Storage => storage;

    public long Offset => offset;

    public long[] Shape => shape;

    public long[] Strides => strides;

    /// <summary>The number of its elements, which may be more than its storage has: a stride may be 0.</summary>
    public long Count { get; } = shape.Aggregate(1L, (product, size) => checked(product * size));
}
