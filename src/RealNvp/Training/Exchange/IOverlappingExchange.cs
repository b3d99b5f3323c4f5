using static TorchSharp.torch;

namespace RealNvp;

/// <summary>An exchange that adds up gradients while the backward pass goes on.</summary>
/// <remarks>
/// <para>A <see cref="Trainer"/> then parts the gradients of a flow on the CPU, and begins the sum of a part as soon as the backward pass
/// has it. The results are the same.</para>
/// <para>All processes begin the same sums in the same order. Between <see cref="BeginSum"/> and <see cref="EndSums"/> they call the
/// other members too, in an order that is the same on all; a sum that has begun must not wait for those.</para>
/// </remarks>
public interface IOverlappingExchange : IGradientExchange
{
    /// <summary>Begins to add up a tensor over all processes, in place, and returns without waiting for them. Each call also moves
    /// on the sums that have begun before.</summary>
    /// <param name="bucket">Contiguous, of any shape, float32 or float64, on the CPU. The caller keeps it as it is until
    /// <see cref="EndSums"/> has returned.</param>
    void BeginSum(Tensor bucket);

    /// <summary>Returns when all sums that have begun are there.</summary>
    void EndSums();
}
