using System.Runtime.InteropServices;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>The tensors whose numbers a plan of rows reads as they lie, and what must be true for it to do so.</summary>
/// <remarks>
/// <para>Nothing is kept of a weight: each call asks the module that has it for the tensor, and the tensor for its memory. So whatever has
/// happened between two calls, a step of an optimizer, another parameter in its place, a state that was loaded, another dtype, the call
/// reads what is there now, or says that it cannot.</para>
/// <para>A tensor that has been looked at, and whose memory is still where it was, is asked two questions rather than five: that costs
/// some nanoseconds. What was seen is kept in one object a weight, so that threads need no lock.</para>
/// </remarks>
internal sealed unsafe class RowTensors
{
    /// <summary>The most tensors: their addresses lie on the stack in a call.</summary>
    public const int Most = 4096;

    private readonly List<Source> sources = [];
    private readonly List<Func<bool>> conditions = [];

    /// <summary>How many tensors.</summary>
    public int Count => sources.Count;

    /// <summary>Adds a tensor, and gives its number in the plan.</summary>
    /// <param name="tensor">Gives the tensor as it is now; asked in each call.</param>
    /// <param name="type">The dtype that it must have.</param>
    /// <param name="shape">The shape that it must have; null for the one that it has now.</param>
    public int Add(Func<Tensor> tensor, ScalarType type, params long[]? shape)
    {
        sources.Add(new(tensor, type, shape is { Length: > 0 } ? shape : tensor().shape));
        return sources.Count - 1;
    }

    /// <summary>Adds something that must be true in a call.</summary>
    public void Require(Func<bool> condition) => conditions.Add(condition);

    /// <summary>Writes where the numbers of all tensors are now; false if something is not as the plan needs it.</summary>
    public bool TryPlace(nint* to)
    {
        foreach (var condition in conditions)
            if (!condition()) return false;
        var all = CollectionsMarshal.AsSpan(sources);
        for (var i = 0; i < all.Length; i++)
        {
            ref var source = ref all[i];
            var tensor = source.Tensor();
            if (tensor is null || tensor.IsInvalid) return false;
            var handle = tensor.Handle;
            if (source.Seen is { } seen && ReferenceEquals(seen.Tensor, tensor) && KernelMemory.IsStill(handle, (void*)seen.At))
            {
                to[i] = seen.At;
                continue;
            }
            if (!KernelMemory.TryGet(handle, source.Type, source.Shape, out var memory)) return false;
            to[i] = (nint)memory;
            source.Seen = new(tensor, to[i]);
        }
        return true;
    }

    // a tensor and where it was, for all threads together or not at all; one that was replaced stays until the next call
    private sealed class Sight(Tensor tensor, nint at)
    {
        public Tensor Tensor => tensor;

        public nint At => at;
    }

    private struct Source(Func<Tensor?> tensor, ScalarType type, long[] shape)
    {
        public readonly Func<Tensor?> Tensor = tensor;
        public readonly ScalarType Type = type;
        public readonly long[] Shape = shape;
        public Sight? Seen;
    }
}
