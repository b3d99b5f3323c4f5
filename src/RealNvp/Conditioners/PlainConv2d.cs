using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A 2-D convolution of stride 1 with normal initial weights of a given spread, and a bias of 0.</summary>
internal sealed class PlainConv2d : nn.Module<Tensor, Tensor>
{
    private readonly TorchSharp.Modules.Parameter weight, bias;
    private readonly long padding;

    public PlainConv2d(long inputs, long outputs, long kernelSize, long padding, double spread) : base(nameof(PlainConv2d))
    {
        Check.Positive(inputs, nameof(inputs), "The number of input channels");
        Check.Positive(outputs, nameof(outputs), "The number of output channels");
        Weights.Pay(checked((outputs * inputs * kernelSize * kernelSize) + outputs), 2);
        this.padding = padding;
        using var scope = NewDisposeScope();
        var initial = zeros(outputs, inputs, kernelSize, kernelSize);
        weight = Weights.Parameter(spread > 0 ? initial.normal_(0, spread) : initial);
        bias = Weights.Parameter(zeros(outputs));
        RegisterComponents();
    }

    public override Tensor forward(Tensor input) => nn.functional.conv2d(input, weight, bias, padding: [padding, padding]);
}
