using System.Runtime.CompilerServices;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Reversible training of one flow: which layers take part, how far rebuilt inputs were from the true ones, and how many inputs are kept to bound that.</summary>
internal sealed class ReversibleSession
{
    private const int FirstInterval = 16;

    [ThreadStatic] private static ReversibleSession? current;

    private readonly ConditionalWeakTable<Bijection, StrongBox<bool>> repeatable = [];
    private readonly Lock latch = new();
    private double drift;

    /// <summary>The session of the loss that is being computed on this thread; null outside of one, and while layers of a run are computed.</summary>
    public static ReversibleSession? Current => current;

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
    public Scope Start()
    {
        lock (latch) drift = 0;
        return Enter(this);
    }

    /// <summary>Layers run plainly on this thread until disposed.</summary>
    public static Scope Suspend() => Enter(null);

    /// <summary>Notes a drift; a drift of NaN counts as infinite.</summary>
    public void Report(double value)
    {
        lock (latch) drift = Math.Max(drift, double.IsNaN(value) ? double.PositiveInfinity : value);
    }

    /// <summary>Keeps more inputs from the next loss on.</summary>
    public void KeepMore() => Interval = Interval is { } interval ? Math.Max(1, interval / 2) : FirstInterval;

    /// <summary>Whether a layer may be computed again in the backward pass.</summary>
    public bool Takes(Bijection layer) => is_grad_enabled() && repeatable.GetValue(layer, static l => new(l.IsRepeatable)).Value;

    /// <summary>Runs layers in the given order: those in a row that can be computed again as one run, the others plainly.</summary>
    public (Tensor Value, Tensor? LogDet) RunAll(Bijection[] layers, Tensor input, Tensor? context, bool inverse)
    {
        var value = input;
        Tensor? total = null;
        for (var i = 0; i < layers.Length;)
        {
            var end = i;
            while (end < layers.Length && Takes(layers[end])) end++;
            var (next, logDet) = end > i ? ReversibleRun.Apply(this, layers[i..end], value, context, inverse) : layers[i].Run(value, context, inverse);
            i = Math.Max(i + 1, end);
            if (!ReferenceEquals(value, input) && !ReferenceEquals(value, next)) value.Dispose();
            value = next;
            total = Chain.Add(total, logDet);
        }
        return (value, total);
    }

    private static Scope Enter(ReversibleSession? session)
    {
        var scope = new Scope(current);
        current = session;
        return scope;
    }

    internal readonly struct Scope(ReversibleSession? previous) : IDisposable
    {
        public void Dispose() => current = previous;
    }
}
