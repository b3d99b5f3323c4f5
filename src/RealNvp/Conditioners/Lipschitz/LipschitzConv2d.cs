using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A 2-D convolution of stride 1 that keeps the size of the image, with a weight that
/// takes no two images further apart than c times their distance.</summary>
/// <remarks>
/// <para>For the 2-norm, the singular value is that of the convolution on images of the real size, with
/// their border of zeros: the norm of the kernel as a matrix is another number, above or below. Of a 1×1
/// convolution it is that of the matrix. For 1 and infinity it is that of an image without a border.</para>
/// <para>State-dict keys: <c>weight</c> (O, I, k, k), <c>bias</c> (O); for the
/// 2-norm <c>u</c> (O·H·W), <c>v</c> (I·H·W), of a 1×1 convolution (O), (I).</para>
/// </remarks>
public sealed class LipschitzConv2d : LipschitzLayer
{
    private readonly long inputs, outputs, padding;
    private readonly EventShape shape;

    /// <summary>Makes the convolution.</summary>
    /// <param name="inputs">I, the number of input channels.</param>
    /// <param name="outputs">O, the number of output channels.</param>
    /// <param name="kernelSize">k, odd.</param>
    /// <param name="height">H of the images.</param>
    /// <param name="width">W of the images.</param>
    /// <param name="coefficient">c, above 0 and below 1.</param>
    /// <param name="bias">Adds a bias for each output channel.</param>
    /// <param name="zero">Starts with zeros: the output is 0.</param>
    /// <param name="norm">p of the norm of inputs and outputs: 2, 1 or infinity.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size, the coefficient or the norm is not allowed.</exception>
    public LipschitzConv2d(long inputs, long outputs, long kernelSize, long height, long width, double coefficient = 0.9, bool bias = true,
        bool zero = false, double norm = 2)
        : base(nameof(LipschitzConv2d), Sizes(inputs, outputs, kernelSize, height, width), kernelSize == 1 ? outputs
            : outputs * height * width,
            kernelSize == 1 ? inputs : inputs * height * width, (bias, outputs), zero, coefficient, norm, norm)
    {
        (this.inputs, this.outputs, padding, shape) = (inputs, outputs, kernelSize / 2, [inputs, height, width]);
        RegisterComponents();
    }

    private protected override bool IsMatrix => padding == 0;

    /// <summary>Maps (N, I, H, W) to (N, O, H, W). The caller disposes the result.</summary>
    public override Tensor forward(Tensor input)
    {
        Check.Network(input, null, shape, 0, $"{nameof(LipschitzConv2d)}.forward", Weight);
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(Apply(input, Normalized()));
    }

    internal override Tensor Apply(Tensor x, Tensor weight) => ConditionerMath.Conv2d(null, x, weight, Bias);

    internal override Tensor Times(Tensor x, Tensor weight) => ConditionerMath.Conv2d(null, x, weight, null);

    // stride 1 and a border that keeps the size: the transpose is a convolution with the kernel turned round
    internal override Tensor TimesTransposed(Tensor y, Tensor weight) =>
        ConditionerMath.Conv2d(null, y, weight.transpose(0, 1).flip(2, 3), null);

    private protected override Tensor Norm(Tensor weight) =>
        (Domain == 1 ? weight.abs().sum([0L, 2, 3]) : weight.abs().sum([1L, 2, 3])).max();

    private protected override Tensor AsInput(Tensor rows) => rows.reshape(rows.shape[0], inputs, shape[1], shape[2]);

    private protected override Tensor AsOutput(Tensor rows) => rows.reshape(rows.shape[0], outputs, shape[1], shape[2]);

    private static long[] Sizes(long inputs, long outputs, long kernelSize, long height, long width)
    {
        Check.Positive(inputs, nameof(inputs), "The number of input channels");
        Check.Positive(outputs, nameof(outputs), "The number of output channels");
        Check.Positive(height, nameof(height), "The height");
        Check.Positive(width, nameof(width), "The width");
        if (kernelSize is < 1 or > 1023 || kernelSize % 2 == 0)
            throw new ArgumentOutOfRangeException(nameof(kernelSize), kernelSize,
                "The kernel size must be odd, so that padding keeps the image size, and at most 1023.");
        return [outputs, inputs, kernelSize, kernelSize];
    }
}
