using RealNvp.Internal;
using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Glow's network: a 3×3 convolution, relu, a 1×1 convolution, relu, and a 3×3 convolution that starts at zero (Glow, arXiv 1807.03039,
/// section 3.3).
/// </summary>
/// <remarks>
/// Maps (N, I, H, W) and a context (N, C) to (N, O, H, W); the context is added to all pixels after the first convolution. State-dict keys:
/// <c>first</c>, <c>context</c>, <c>second</c>, <c>last</c>.
/// </remarks>
public sealed partial class GlowConvNet : Conditioner
{
    private const double Spread = 0.05;
    private readonly PlainConv2d first, second;
    private readonly ZeroConv2d last;
    private readonly TorchSharp.Modules.Linear? context;

    /// <summary>Makes the network.</summary>
    /// <param name="inputs">I, the number of input channels.</param>
    /// <param name="outputs">O, the number of output channels.</param>
    /// <param name="hidden">The number of hidden channels; 512 in the paper.</param>
    /// <param name="contextSize">C, the number of context features; 0 for none.</param>
    public GlowConvNet(long inputs, long outputs, long hidden = 512, long contextSize = 0) : base(nameof(GlowConvNet), contextSize)
    {
        Check.Positive(hidden, nameof(hidden), "The number of hidden channels");
        first = new PlainConv2d(inputs, hidden, 3, Spread);
        if (contextSize > 0) context = Weights.Linear(contextSize, hidden, bias: false);
        second = new PlainConv2d(hidden, hidden, 1, Spread);
        last = new ZeroConv2d(hidden, outputs);
        (InputShape, OutputShape) = (EventShape.Create(inputs, -1, -1), EventShape.Create(outputs, -1, -1));
        RegisterComponents();
    }

    /// <inheritdoc/>
    public override EventShape? InputShape { get; }

    /// <inheritdoc/>
    public override EventShape? OutputShape { get; }

    /// <inheritdoc/>
    public override Tensor forward(Tensor input, Tensor? context)
    {
        Check.Network(input, context, InputShape!.Value, ContextSize, $"{nameof(GlowConvNet)}.forward", first.Weight);
        if ((this.context is null || context is null) && KernelTensors(input) is { } all && ConvNet.CanRun(all)) return ConvNet.Run(all);
        using var scope = NewDisposeScope();
        var h = first.call(ChannelsLast.CanRun(input) ? ChannelsLast.Of(input) : input);
        if (this.context is not null && context is not null) h = h.add(this.context.call(context).unsqueeze(2).unsqueeze(3), Scalars.One);
        return scope.MoveToOuter(last.call(second.call(h.relu_()).relu_()));
    }

    /// <summary>An input and the weights, as <see cref="ConvNet"/> takes them; null if the network computes in another dtype, or is
    /// disposed.</summary>
    internal Tensor[]? KernelTensors(Tensor input)
    {
        if (first.Weight.IsInvalid || ConditionerMath.IsReduced(first.ComputeDtype, input)) return null;
        var (weight, bias, scale) = last.Parts;
        return [input, first.Weight, first.Bias, second.Weight, second.Bias, weight, bias, scale];
    }
}
