using RealNvp.Internal;
using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// A 2-D convolution with weight normalization, w = g · v/‖v‖ for each output channel, stride 1 and padding that keeps the size
/// (Salimans and Kingma, arXiv 1602.07868; Real NVP, section 3.7).
/// </summary>
/// <remarks>State-dict keys as in PyTorch: <c>weight_g</c> (O, 1, 1, 1),
/// <c>weight_v</c> (O, I, k, k), <c>bias</c> (O) if there is one.</remarks>
public sealed partial class WeightNormConv2d : nn.Module<Tensor, Tensor>, IHasComputeDtype
{
    private readonly TorchSharp.Modules.Parameter weight_g, weight_v;
    private readonly TorchSharp.Modules.Parameter? bias;
    private readonly EventShape shape;
    private ScalarType? compute;

    /// <summary>Makes the convolution.</summary>
    /// <param name="inputs">I, the number of input channels.</param>
    /// <param name="outputs">O, the number of output channels.</param>
    /// <param name="kernelSize">k, odd.</param>
    /// <param name="bias">Adds a bias for each output channel.</param>
    /// <param name="zero">Starts with g = 0 and bias = 0: the output is 0.</param>
    public WeightNormConv2d(long inputs, long outputs, long kernelSize, bool bias = true, bool zero = false)
        : base(nameof(WeightNormConv2d))
    {
        Check.Positive(inputs, nameof(inputs), "The number of input channels");
        Check.Positive(outputs, nameof(outputs), "The number of output channels");
        shape = EventShape.Create(inputs, -1, -1);
        if (kernelSize is < 1 or > 1023 || kernelSize % 2 == 0)
            throw new ArgumentOutOfRangeException(nameof(kernelSize), kernelSize,
                "The kernel size must be odd, so that padding keeps the image size, and at most 1023.");
        Weights.Pay(((Int128)outputs * inputs * kernelSize * kernelSize) + ((bias ? 2 : 1) * outputs), bias ? 3 : 2);
        using var scope = NewDisposeScope();
        // PyTorch's default for convolutions: uniform in ±1/√(fan in)
        var bound = 1 / Math.Sqrt(inputs * kernelSize * kernelSize);
        var v = Weights.Uniform(bound, outputs, inputs, kernelSize, kernelSize);
        var g = zero ? zeros(outputs, 1, 1, 1) : WeightNorm.Norm(v);
        if (bias) this.bias = Weights.Parameter(zero ? zeros(outputs) : Weights.Uniform(bound, outputs));
        weight_g = Weights.Parameter(g);
        weight_v = Weights.Parameter(v);
        RegisterComponents();
    }

    /// <summary>v, the weight before its normalization.</summary>
    internal Tensor Direction => weight_v;

    /// <summary>v, g and the bias if there is one.</summary>
    internal IEnumerable<Tensor> Parts => bias is null ? [weight_v, weight_g] : [weight_v, weight_g, bias];

    /// <summary>Whether it computes in the dtype of the input.</summary>
    internal bool IsExact => compute is null;

    ScalarType? IHasComputeDtype.ComputeDtype { get => compute; set => compute = value; }

    /// <summary>Convolves relu of what a normalization makes of (N, I, H, W), or of the input itself if it is null.</summary>
    internal Tensor AfterRelu(ChannelBatchNorm? norm, Tensor input)
    {
        using var scope = NewDisposeScope();
        var weight = Weight(input);
        var fuses = weight.shape[2] == 3 && !ConditionerMath.IsReduced(compute, input);
        return scope.MoveToOuter((fuses ? norm?.ReluConvolution(input, weight, bias) : null) ?? Convolve(norm is null ? input.relu()
            : norm.Relu(input), weight));
    }

    /// <summary>Convolves (N, I, H, W) to (N, O, H, W). The caller disposes the result.</summary>
    public override Tensor forward(Tensor input)
    {
        Check.Network(input, null, shape, 0, $"{nameof(WeightNormConv2d)}.forward", weight_v);
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(Convolve(input, Weight(input)));
    }

    private Tensor Weight(Tensor input) => WeightNorm.Of(weight_v, weight_g, fused: ChannelsLast.CanRun(input));

    private Tensor Convolve(Tensor input, Tensor weight) => ConditionerMath.Conv2d(compute, input, weight, bias);
}
