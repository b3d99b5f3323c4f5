using System.Runtime.InteropServices;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class AdamOptimizer
{
    /// <summary>
    /// As <see cref="StepAndAverage"/>, without a number that leaves the device: where loss or norm are not finite, the gate
    /// closes, and neither this step nor a later one changes anything but counts, which <see cref="TakeBack"/> puts right.
    /// </summary>
    /// <remarks>If <see cref="AdamScript"/> serves, it clips the gradients in place, unless they are to be kept.</remarks>
    /// <param name="gate">What lets the step through.</param>
    /// <param name="loss">The loss, without dimensions.</param>
    /// <param name="learningRate">As in <see cref="Step"/>.</param>
    /// <param name="maxGradientNorm">As in <see cref="Step"/>.</param>
    /// <param name="weights">The average of the weights, or null.</param>
    /// <param name="settle">Runs when the gate is set and before the average is
    /// taken: puts back what the step has spoilt beside the parameters.</param>
    /// <param name="keepGradients">Whether the gradients stay as they are.</param>
    /// <returns>The norm of all gradients before clipping, without dimensions, in the caller's dispose scope.</returns>
    internal Tensor StepThrough(StepGate gate, Tensor loss, double learningRate, double? maxGradientNorm, WeightAverage? weights,
        Action<StepGate>? settle = null, bool keepGradients = false)
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
            var given = slots.Where(slot => slot.HasGradient).ToArray();
            var lists = UsesLists && given.Length > 0
                && Array.TrueForAll(given, slot => slot.CanScript && slot.Average.dtype == given[0].Average.dtype);
            var norm = (lists ? ListNorm(given) : null) ?? Norm(given, loss);
            gate.Pass(loss, norm, maxGradientNorm);
            settle?.Invoke(gate);
            if (!lists || !UsesLists || !TryLists(given, learningRate, gate, keepGradients)) Apply(learningRate, 1, null, gate);
            StepCount++;
            weights?.EndUpdate(share, gate);
            return scope.MoveToOuter(norm);
        }
        finally
        {
            foreach (var slot in slots) slot.ReleaseGradient();
        }
    }

    /// <summary>Whether <see cref="Step"/> goes by lists of tensors: if all parameters are on one GPU.</summary>
    internal bool StepsByLists { get; init; }

    // a step of a few calls, which asks the device once, for the norm
    private double StepByLists(double learningRate, double? maxGradientNorm, WeightAverage? weights)
    {
        using var scope = NewDisposeScope();
        using var gate = new StepGate(slots[0].Parameter.device);
        using var _ = no_grad();
        var (counts, updates) = (Counts(), weights?.Updates ?? 0);
        var norm = StepThrough(gate, zeros([], device: slots[0].Parameter.device), learningRate, maxGradientNorm, weights,
            keepGradients: true).FetchDouble();
        if (double.IsFinite(norm)) return norm;
        TakeBack(counts);
        weights?.TakeBack(updates);
        return norm;
    }

    /// <summary>Whether <see cref="AdamScript"/> may run.</summary>
    internal bool UsesLists { get; set; } = true;

    /// <summary>The norm of all gradients together by one call; a build of libtorch may refuse it.</summary>
    internal Func<Tensor[], Tensor> NormOfList { get; init; } = AdamScript.Norm;

    /// <summary>How many steps the optimizer and each parameter have taken.</summary>
    internal long[] Counts() => [StepCount, .. slots.Select(slot => slot.Steps)];

    /// <summary>Forgets steps that a closed gate did not let through.</summary>
    internal void TakeBack(long[] counts)
    {
        StepCount = counts[0];
        for (var i = 0; i < slots.Count; i++) slots[i].Steps = counts[i + 1];
    }

    double IGatedOptimizer.StepAndAverage(double learningRate, double? maxGradientNorm, WeightAverage? weights) =>
        StepAndAverage(learningRate, maxGradientNorm, weights);

    Tensor IGatedOptimizer.StepThrough(StepGate gate, Tensor loss, double learningRate, double? maxGradientNorm, WeightAverage? weights,
        Action<StepGate>? settle, bool keepGradients) =>
        StepThrough(gate, loss, learningRate, maxGradientNorm, weights, settle, keepGradients);

    long[] IGatedOptimizer.Counts() => Counts();

    void IGatedOptimizer.TakeBack(long[] counts) => TakeBack(counts);

    private static Tensor Norm(AdamSlot[] slots, Tensor like)
    {
        if (slots.Length == 0) return zeros_like(like);
        var norms = Array.ConvertAll(slots, slot => slot.NormTensor());
        return stack(Array.ConvertAll(norms, n => n.to(norms[0].dtype))).norm();
    }

    // null, and lists are used no more, where this build of libtorch refuses it
    private Tensor? ListNorm(AdamSlot[] slots)
    {
        try { return NormOfList(Array.ConvertAll(slots, slot => slot.PlainGradient())); }
        catch (ExternalException)
        {
            UsesLists = false;
            return null;
        }
    }

    // false if this build of libtorch refuses it, which it does before any change
    private bool TryLists(AdamSlot[] given, double learningRate, StepGate gate, bool keepGradients)
    {
        foreach (var group in given.GroupBy(slot => slot.Group))
        {
            AdamSlot[] members = [.. group];
            var counts = Array.ConvertAll(members, slot => slot.Steps);
            try { AdamScript.Step(members, options, learningRate * group.Key.LearningRateFactor, group.Key.WeightDecay, gate,
                keepGradients); }
            catch (ExternalException) when (UsesLists && ReferenceEquals(members[0], given[0]))
            {
                for (var i = 0; i < members.Length; i++) members[i].Steps = counts[i];
                return UsesLists = false;
            }
        }
        return true;
    }
}
