using RealNvp.Internal;
using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Glow's last convolution: 3×3 on an image that is padded with ones, times exp(3·scale) of
/// each output channel. It starts with zeros (Glow, arXiv 1807.03039, section 3.3).
/// </summary>
/// <remarks>
/// The ones at the border let the network see where the image ends. State-dict keys: <c>conv.weight</c> (O, I, 3, 3), <c>conv.bias</c> (O),
/// <c>scale</c> (1, O, 1, 1), limited to ±5 in its effect.
/// </remarks>
public sealed partial class ZeroConv2d : nn.Module<Tensor, Tensor>, INetworkShapes
{
    private readonly PlainConv2d conv;
    private readonly TorchSharp.Modules.Parameter scale;

    /// <summary>Makes the convolution.</summary>
    /// <param name="inputs">I, the number of input channels.</param>
    /// <param name="outputs">O, the number of output channels.</param>
    public ZeroConv2d(long inputs, long outputs) : base(nameof(ZeroConv2d))
    {
        conv = new PlainConv2d(inputs, outputs, 3, spread: 0, border: 1);
        Weights.Pay(outputs, 1);
        scale = Weights.Parameter(zeros(1, outputs, 1, 1));
        (InputShape, OutputShape) = (EventShape.Create(inputs, -1, -1), EventShape.Create(outputs, -1, -1));
        RegisterComponents();
    }

    /// <inheritdoc/>
    public EventShape? InputShape { get; }

    /// <inheritdoc/>
    public EventShape? OutputShape { get; }

    /// <summary>The weight, the bias and the scale.</summary>
    internal (Tensor Weight, Tensor Bias, Tensor Scale) Parts => (conv.Weight, conv.Bias, scale);

    /// <summary>Convolves (N, I, H, W) to (N, O, H, W). The caller disposes the result.</summary>
    public override Tensor forward(Tensor input)
    {
        Check.Network(input, null, InputShape!.Value, 0, $"{nameof(ZeroConv2d)}.forward", scale);
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(conv.call(input).mul(ConvNet.Factor(scale)));
    }
}
