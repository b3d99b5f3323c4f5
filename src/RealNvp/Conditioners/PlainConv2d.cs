using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A 2-D convolution of stride 1 that keeps the size of the image,
/// with normal initial weights of a given spread, and a bias of 0.</summary>
internal sealed partial class PlainConv2d : nn.Module<Tensor, Tensor>, IHasComputeDtype
{
    private readonly TorchSharp.Modules.Parameter weight, bias;
    private readonly float border;

    /// <param name="inputs">The number of input channels.</param>
    /// <param name="outputs">The number of output channels.</param>
    /// <param name="kernelSize">1 or 3.</param>
    /// <param name="spread">The standard deviation of the initial weights.</param>
    /// <param name="border">What a 3×3 convolution sees around the image.</param>
    public PlainConv2d(long inputs, long outputs, long kernelSize, double spread, float border = 0) : base(nameof(PlainConv2d))
    {
        Check.Positive(inputs, nameof(inputs), "The number of input channels");
        Check.Positive(outputs, nameof(outputs), "The number of output channels");
        Weights.Pay(((Int128)outputs * inputs * kernelSize * kernelSize) + outputs, 2);
        this.border = border;
        using var scope = NewDisposeScope();
        long[] size = [outputs, inputs, kernelSize, kernelSize];
        weight = Weights.Parameter(spread > 0 ? Weights.Normal(spread, size) : zeros(size));
        bias = Weights.Parameter(zeros(outputs));
        RegisterComponents();
    }

    /// <inheritdoc/>
    public ScalarType? ComputeDtype { get; set; }

    /// <summary>(K, C, k, k).</summary>
    public Tensor Weight => weight;

    /// <summary>(K).</summary>
    public Tensor Bias => bias;

    public override Tensor forward(Tensor input) => ConditionerMath.Conv2d(ComputeDtype, input, weight, bias, border);
}
