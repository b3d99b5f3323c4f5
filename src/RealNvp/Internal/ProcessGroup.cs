using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>Several processes that train together, as layers and statistics see them. All call the same methods in the same
/// order.</summary>
internal abstract class ProcessGroup
{
    /// <summary>The number of this process, from 0.</summary>
    public abstract int Rank { get; }

    /// <summary>The number of processes.</summary>
    public abstract int Size { get; }

    /// <summary>The sum over all processes, a new tensor, with gradients: that of the sum is the sum of theirs.</summary>
    public abstract Tensor Sum(Tensor values);

    /// <summary>Mean and biased variance (C) over all rows of all processes, over all dimensions but 1, with gradients.</summary>
    /// <param name="x">The own rows (N, C, ...).</param>
    /// <param name="weight">1 for elements that count and 0 for others, broadcasting to x.</param>
    public abstract (Tensor Mean, Tensor Variance) Moments(Tensor x, Tensor weight);

    /// <summary>An error that all processes throw alike, so that none need be told of it.</summary>
    public abstract Exception Agreed(Exception error);

    /// <summary>What each process says, (processes, ...), of values of the same shape on all. In the caller's scope.</summary>
    public Tensor Gather(Tensor values)
    {
        var all = zeros([Size, .. values.shape], dtype: values.dtype, device: values.device);
        all[Rank].copy_(values);
        return Sum(all);
    }
}
