using RealNvp.Internal;
using RealNvp.Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class PeriodicConv2d : IOnnxBijection
{
    // the inverse is a convolution too, with a kernel of the size of the image: what it makes of one pixel
    (OnnxValue Value, OnnxValue? LogDet) IOnnxBijection.WriteOnnx(OnnxValue input, OnnxValue? context, bool inverse)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var (channels, height, width) = (input.Shape[1], input.Shape[2], input.Shape[3]);
        var logDet = input.Graph.Constant(LogDet(Blocks(height, width), height, width).reshape(1, 1));
        if (!inverse)
        {
            var before = KernelSize / 2;
            return (Wrapped(input, before, KernelSize - 1 - before, before, KernelSize - 1 - before).Convolve(weight), logDet);
        }
        var pixel = zeros([1, 1, height, width], dtype: float64, device: weight.device);
        pixel.flatten()[0].fill_(Scalars.One);
        var (answer, _) = InverseCore(eye(channels, dtype: float64, device: weight.device).reshape(channels, channels, 1, 1).mul(pixel),
            Pass.Here(null));
        // answers of inputs as rows become weights of outputs, and a convolution runs against the offsets
        var kernel = answer.transpose(0, 1).flip(2, 3);
        return (Wrapped(input, height - 1, 0, width - 1, 0).Convolve(kernel), -logDet);
    }

    private static OnnxValue Wrapped(OnnxValue x, long above, long below, long left, long right) => x.Moved(t =>
    {
        OnnxEdges edges = new(above, below, left, right);
        return edges.Along(edges.Along(t, 2), 3);
    });

    private readonly record struct OnnxEdges(long Above, long Below, long Left, long Right)
    {
        public Tensor Along(Tensor t, int dimension)
        {
            var (before, after) = dimension == 2 ? (Above, Below) : (Left, Right);
            return cat([t.narrow(dimension, t.shape[dimension] - before, before), t, t.narrow(dimension, 0, after)], dimension);
        }
    }
}
