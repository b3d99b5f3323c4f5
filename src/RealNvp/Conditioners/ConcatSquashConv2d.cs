using RealNvp.Internal;
using RealNvp.Operations;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A 3×3 convolution that keeps the size of the image, whose output
/// channels time scales and shifts, as <see cref="ConcatSquashLinear"/>.</summary>
internal sealed class ConcatSquashConv2d : nn.Module<Tensor, Tensor>
{
    private readonly PlainConv2d layer;
    private readonly TimeGate gate;
    private readonly Linear hyper_gate, hyper_bias;
    private readonly Linear? context_gate, context_bias;

    public ConcatSquashConv2d(long inputs, long outputs, long contextSize, bool zero) : base(nameof(ConcatSquashConv2d))
    {
        // the spread of torch's default for convolutions
        layer = new PlainConv2d(inputs, outputs, 3, zero ? 0 : 1 / Math.Sqrt(27.0 * inputs));
        gate = new TimeGate(outputs, contextSize, zero);
        (hyper_gate, hyper_bias, context_gate, context_bias) = gate;
        RegisterComponents();
    }

    public Tensor Weight => layer.Weight;

    /// <summary>The linear part, without bias and gates, (N, I, H, W) to (N, O, H, W).</summary>
    public override Tensor forward(Tensor input) => nn.functional.conv2d(input, layer.Weight, padding: [1, 1]);

    /// <summary>Factor and shift, (N, O, 1, 1) or (1, O, 1, 1); the shift has the bias in it. In the caller's scope.</summary>
    public (Tensor Scale, Tensor Shift) At(Tensor t, Tensor? context)
    {
        var (scale, shift) = gate.At(t, context);
        shift = shift.addcmul(layer.Bias, scale, Scalars.One);
        return (scale.unsqueeze(2).unsqueeze(3), shift.unsqueeze(2).unsqueeze(3));
    }
}
