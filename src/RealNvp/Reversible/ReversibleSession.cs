using RealNvp.Layers;
using System.Runtime.CompilerServices;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Reversible training of one flow: which layers take part, how far rebuilt inputs
/// were from the true ones, and how many inputs are kept to bound that.</summary>
internal sealed class ReversibleSession : LayerRunner
{
    private const int FirstInterval = 16;

    private readonly ConditionalWeakTable<Bijection, StrongBox<bool>> repeatable = [];
    private readonly Lock latch = new();
    private double drift;

    /// <summary>Of how many layers one keeps its input; null while none does it to bound the drift.</summary>
    public int? Interval { get; private set; }

    /// <summary>The largest drift since the last <see cref="Start"/>.</summary>
    public double Drift
    {
        get { lock (latch) return drift; }
    }

    /// <summary>Half of the digits: beyond it, gradients are computed again from inputs that are kept.</summary>
    public static double Limit(ScalarType dtype) => Math.Sqrt(finfo(dtype).eps);

    /// <summary>Begins a loss on this thread, until disposed.</summary>
    public PassState.Scope Start()
    {
        lock (latch) drift = 0;
        return PassState.RunBy(this);
    }

    /// <summary>Layers run plainly on this thread until disposed.</summary>
    public static PassState.Scope Suspend() => PassState.RunBy(null);

    /// <summary>Notes a drift; a drift of NaN counts as infinite.</summary>
    public void Report(double value)
    {
        lock (latch) drift = Math.Max(drift, double.IsNaN(value) ? double.PositiveInfinity : value);
    }

    /// <summary>Keeps more inputs from the next loss on.</summary>
    public void KeepMore() => Interval = Interval is { } interval ? Math.Max(1, interval / 2) : FirstInterval;

    /// <inheritdoc/>
    /// <remarks>A layer that may be computed again in the backward pass.</remarks>
    public override bool Takes(Bijection layer) => is_grad_enabled() && repeatable.GetValue(layer, static l => new(l.IsRepeatable)).Value;

    /// <inheritdoc/>
    public override (Tensor Value, Tensor? LogDet) Run(Bijection[] layers, Tensor input, Pass pass, bool inverse) =>
        ReversibleRun.Apply(this, layers, input, pass.Context, inverse);
}
