using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class AdamOptimizer
{
    /// <summary>
    /// As <see cref="StepAndAverage"/>, without a number that leaves the device: where loss or norm are not finite, the gate closes, and neither this
    /// step nor a later one changes anything but counts, which <see cref="TakeBack"/> puts right.
    /// </summary>
    /// <returns>The norm of all gradients before clipping, without dimensions, in the caller's dispose scope.</returns>
    internal Tensor StepThrough(StepGate gate, Tensor loss, double learningRate, double? maxGradientNorm, WeightAverage? weights)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        if (slots.Exists(slot => slot.Fused)) throw new InvalidOperationException("A gate needs an optimizer without fused passes.");
        Require.NotNegative(learningRate, nameof(learningRate));
        if (maxGradientNorm is { } limit) Require.Positive(limit, nameof(maxGradientNorm));
        var share = weights?.BeginUpdate() ?? 0;
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        try
        {
            foreach (var slot in slots) slot.TakeGradient(pass);
            var norms = slots.Where(slot => slot.HasGradient).Select(slot => slot.NormTensor()).ToArray();
            var norm = norms.Length == 0 ? zeros_like(loss) : linalg.vector_norm(stack(norms.Select(n => n.to(norms[0].dtype))));
            gate.Pass(loss, norm, maxGradientNorm);
            Apply(learningRate, 1, null, gate);
            StepCount++;
            weights?.EndUpdate(share, gate);
            return scope.MoveToOuter(norm);
        }
        finally
        {
            foreach (var slot in slots) slot.ReleaseGradient();
        }
    }

    /// <summary>How many steps the optimizer and each parameter have taken.</summary>
    internal long[] Counts() => [StepCount, .. slots.Select(slot => slot.Steps)];

    /// <summary>Forgets steps that a closed gate did not let through.</summary>
    internal void TakeBack(long[] counts)
    {
        StepCount = counts[0];
        for (var i = 0; i < slots.Count; i++) slots[i].Steps = counts[i + 1];
    }
}
