using RealNvp.Internal;
using RealNvp.Layers;
using RealNvp.Operations;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// The backward pass of a run: from its output to its input, layer by layer. Each layer's input is rebuilt, the layer computed again with
/// gradients, and all that was made for it freed before the next.
/// </summary>
internal sealed class ReverseWalk(ReversibleRun run, Tensor? context, Tensor logDetGradient, DisposeScope home) : BackwardStep
{
    /// <inheritdoc/>
    public override Tensor? Context => context;

    /// <inheritdoc/>
    public override Tensor LogDetGradient => logDetGradient;

    /// <summary>The largest relative distance of what was rebuilt from what was kept.</summary>
    public double Drift { get; private set; }

    /// <inheritdoc/>
    internal override (Tensor Input, Tensor Gradient) Through(Bijection[] layers, Tensor output, Tensor gradient, bool inverse)
    {
        var (value, slope) = (output, gradient);
        for (var i = layers.Length - 1; i >= 0; i--)
        {
            var partner = i > 0 && run.Tape.Joined(layers[i], layers[i - 1]) ? layers[i - 1] : null;
            var (before, beforeSlope) = Through(layers[i], value, slope, inverse, partner);
            if (i < layers.Length - 1)
            {
                value.Dispose();
                slope.Dispose();
            }
            (value, slope) = (before, beforeSlope);
            if (partner is not null) i--;
        }
        return (value, slope);
    }

    /// <summary>Walks back through one layer, and through the one before it that ran together with it.</summary>
    public (Tensor Input, Tensor Gradient) Through(Bijection layer, Tensor output, Tensor gradient, bool inverse, Bijection? before = null)
    {
        using var scope = NewDisposeScope();
        var (input, slope) = layer is Composite composite ? composite.StepBack(this, output, gradient, inverse)
            : ThroughLeaf(layer, before, output, gradient, inverse);
        return (scope.MoveToOuter(input), scope.MoveToOuter(slope));
    }

    /// <inheritdoc/>
    public override (Tensor Input, Tensor Gradient) Rebuild(Bijection layer, Tensor output, Tensor gradient, bool inverse)
    {
        ArgumentNullException.ThrowIfNull(layer);
        Tensor input;
        using (Restore())
        using (PassState.WantLogDets(false)) input = layer.Run(output, Pass.Here(context), !inverse).Value;
        run.Tape.Rewind();
        var (_, slope) = Again([layer], input, gradient, inverse);
        return (input, slope);
    }

    /// <inheritdoc/>
    public override IDisposable? Restore() => run.Tape.Restore();

    private protected override void BackwardThrough(Bijection[] layers, Tensor value, Tensor gradient, Tensor? logDet, Tensor[] leaves)
    {
        var (roots, gradients) = (new List<Tensor>(2), new List<Tensor>(2));
        if (value.requires_grad)
        {
            roots.Add(value);
            gradients.Add(gradient);
        }
        if (logDet is { requires_grad: true })
        {
            roots.Add(logDet);
            gradients.Add(logDetGradient);
        }
        if (roots.Count == 0) return;
        var weights = layers.SelectMany(run.ParametersOf).ToArray();
        // autograd.grad would end the process on an error, so the gradients go through grad, whose own values are put back
        var before = weights.Select(w => w.Parameter.grad).ToArray();
        for (var i = 0; i < weights.Length; i++)
            if (before[i] is not null) weights[i].Parameter.grad = null;
        try
        {
            List<Tensor> inputs = [.. leaves, .. weights.Select(w => w.Parameter)];
            if (context is { requires_grad: true }) inputs.Add(context);
            autograd.backward(roots, gradients, false, false, inputs);
            foreach (var (parameter, place) in weights) run.AddGradient(place, parameter.grad, home);
        }
        finally
        {
            for (var i = 0; i < weights.Length; i++) weights[i].Parameter.grad = before[i];
        }
        KernelFault.Throw();
    }

    /// <inheritdoc/>
    public override void AddGradient(Tensor weight, Tensor gradient)
    {
        if (weight is Parameter parameter && run.PlaceOf(parameter) is { } place) run.AddGradient(place, gradient, home);
    }

    /// <summary>max |a - b| / max |b|.</summary>
    public static double Distance(Tensor a, Tensor b)
    {
        using var scope = NewDisposeScope();
        if (b.numel() == 0) return 0;
        var difference = a.detach().sub(b).abs().max().to(float64).item<double>();
        var size = b.detach().abs().max().to(float64).item<double>();
        return difference == 0 ? 0 : difference / Math.Max(size, double.Epsilon);
    }

    private (Tensor Input, Tensor Gradient) ThroughLeaf(Bijection layer, Bijection? before, Tensor output, Tensor gradient, bool inverse)
    {
        var (known, kept) = run.Tape.Back(layer, before);
        try
        {
            if (known is null) return Unknown(layer, before, output, gradient, inverse);
            var (value, slope) = Again(before is null ? [layer] : [before, layer], known, gradient, inverse);
            // where the input was kept, what the walk has brought so far can be compared with the truth
            if (kept) Drift = Larger(Drift, Distance(output, value));
            return (known.alias(), slope);
        }
        finally { run.Tape.End(); }
    }

    private (Tensor Input, Tensor Gradient) Unknown(Bijection layer, Bijection? before, Tensor output, Tensor gradient, bool inverse)
    {
        if (before is null) return Alone(layer, output, gradient, inverse);
        if (((IJoinsLayer)layer).StepBackJoined(this, before, output, gradient) is { } both) return both;
        var (between, slope) = Alone(layer, output, gradient, inverse: false);
        return Alone(before, between, slope, inverse: false);
    }

    private (Tensor Input, Tensor Gradient) Alone(Bijection layer, Tensor output, Tensor gradient, bool inverse) =>
        layer is IStepsBack quick ? quick.StepBack(this, output, gradient, inverse) : Rebuild(layer, output, gradient, inverse);

    public static double Larger(double a, double b) => double.IsNaN(b) ? double.PositiveInfinity : Math.Max(a, b);

    private (Tensor Value, Tensor Gradient) Again(Bijection[] layers, Tensor input, Tensor gradient, bool inverse)
    {
        using var gradients = enable_grad();
        var leaf = input.detach().requires_grad_(true);
        // until the graph is used: it may hold the state of networks
        using var state = Restore();
        var (value, logDet) = LayerSequence.Run(layers, leaf, Pass.Here(context), inverse);
        BackwardThrough(layers, value, gradient, logDet, [leaf]);
        return (value.detach(), leaf.grad ?? zeros_like(leaf, requires_grad: false));
    }
}
