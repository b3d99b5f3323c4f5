using RealNvp.Internal;
using static TorchSharp.torch;

namespace RealNvp.Layers;

/// <summary>What layers say of the errors of their log-determinants in one pass. It owns its tensors.</summary>
internal sealed class LogDetErrors : IDisposable
{
    private Tensor? variance, numerical;
    private bool isUnknown;

    /// <summary>The standard error (N) of what is random, which the caller
    /// disposes; null if nothing is, or if a layer cannot tell.</summary>
    public Tensor? StandardError => isUnknown ? null : variance?.clamp_min(Scalars.Zero).sqrt();

    /// <summary>The sum (N) of errors that are no noise, which the caller disposes; null if there are none.</summary>
    public Tensor? Numerical => numerical?.alias();

    public void AddVariance(Tensor? value)
    {
        if (value is null) isUnknown = true;
        else variance = Sum(variance, value);
    }

    public void AddError(Tensor value) => numerical = Sum(numerical, value.abs());

    public void Dispose()
    {
        variance?.Dispose();
        numerical?.Dispose();
    }

    // the layer's scope ends before the pass
    private static Tensor Sum(Tensor? before, Tensor value)
    {
        using var _ = no_grad();
        var sum = (before is null ? value.detach().clone() : before.add(value, Scalars.One)).DetachFromDisposeScope();
        before?.Dispose();
        return sum;
    }
}
