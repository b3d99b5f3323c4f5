using RealNvp.Internal;
using RealNvp.Operations;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// A linear layer whose outputs time scales and shifts: y = (W x + b)·σ(g(t)) + s(t), with linear g and s, as
/// FFJORD has (arXiv 1810.01367, its "concatsquash" layers). A context (N, C) enters g and s beside the time.
/// </summary>
/// <remarks>State-dict keys: <c>layer</c> (O, I), <c>hyper_gate</c> (O, 1) with a bias, <c>hyper_bias</c>
/// (O, 1) without, and with a context <c>context_gate</c> and <c>context_bias</c> (O, C).</remarks>
public sealed class ConcatSquashLinear : nn.Module<Tensor, Tensor, Tensor?, Tensor>
{
    private readonly Linear layer;
    private readonly TimeGate gate;
    private readonly Linear hyper_gate, hyper_bias;
    private readonly Linear? context_gate, context_bias;
    private readonly EventShape shape;

    /// <summary>Makes the layer.</summary>
    /// <param name="inputs">I, the number of input features.</param>
    /// <param name="outputs">O, the number of output features.</param>
    /// <param name="contextSize">C, the number of context features; 0 for none.</param>
    /// <param name="zero">Starts with weights W, b and s of 0, so that the output is 0 until it is trained.</param>
    public ConcatSquashLinear(long inputs, long outputs, long contextSize = 0, bool zero = false) : base(nameof(ConcatSquashLinear))
    {
        Check.Positive(inputs, nameof(inputs), "The number of input features");
        Check.Positive(outputs, nameof(outputs), "The number of output features");
        shape = EventShape.Create(inputs);
        layer = zero ? Weights.ZeroLinear(inputs, outputs) : Weights.Linear(inputs, outputs);
        gate = new TimeGate(outputs, contextSize, zero);
        (hyper_gate, hyper_bias, context_gate, context_bias) = gate;
        RegisterComponents();
    }

    /// <summary>Applies the layer.</summary>
    /// <param name="t">(N).</param>
    /// <param name="x">(N, I).</param>
    /// <param name="context">(N, C), or null without a context.</param>
    /// <returns>(N, O). The caller disposes it.</returns>
    public override Tensor forward(Tensor t, Tensor x, Tensor? context)
    {
        Check.Network(x, context, shape, gate.ContextSize, $"{nameof(ConcatSquashLinear)}.forward", layer.weight!);
        Check.Times(t, x, $"{nameof(ConcatSquashLinear)}.forward");
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(At(t, context).Apply(x));
    }

    /// <summary>W, (O, I).</summary>
    internal Tensor Weight => layer.weight!;

    /// <summary>The layer for a kernel.</summary>
    internal DynamicsWeights Kernel => new(layer.weight!, layer.bias, hyper_gate.weight, hyper_gate.bias, hyper_bias.weight,
        context_gate?.weight, context_bias?.weight);

    /// <summary>The layer at a time, in the caller's scope.</summary>
    internal TangentLayer At(Tensor t, Tensor? context)
    {
        var (scale, shift) = gate.At(t, context);
        return new TangentLayer(layer.weight!, layer.bias, scale, shift);
    }
}
