using RealNvp.Internal;
using RealNvp.Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class RadialLayer : IOnnxBijection
{
    // in float64, as the library's inverse is
    (OnnxValue Value, OnnxValue? LogDet) IOnnxBijection.WriteOnnx(OnnxValue input, OnnxValue? context, bool inverse)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var (scales, graph) = (Scales(alpha.to(float64), beta.to(float64)), input.Graph);
        var (a, ratio) = (scales.Alpha.FetchDouble(), scales.Ratio.FetchDouble());
        var middle = graph.Constant(center, ScalarType.Float64);
        var offset = input.To(ScalarType.Float64) - middle;
        var length = Length(offset);
        OnnxValue r, value;
        if (!inverse)
        {
            r = length;
            value = input.To(ScalarType.Float64) + (offset * (a / (r + a) * (ratio - 1)));
        }
        else
        {
            // the root of the quadratic in r without cancellation
            var g = a * ratio;
            var d = length - g;
            var sum = ((d * d) + (length * (4 * a))).Sqrt() + d.Abs();
            r = d.LessOrEqual(0).Where(length * (2 * a) / sum, sum * 0.5);
            value = middle + (offset * ((r + a) / (r + g)));
        }
        var (near, far) = (a / (r + a), r / (r + a));
        var across = far + (near * ratio);
        var along = (far * (near + 1)) + (near * near * ratio);
        var logDet = (across.Log() * (size - 1)) + along.Log();
        return (value.To(input.Type), (inverse ? -logDet : logDet).To(input.Type));
    }

    private static OnnxValue Length(OnnxValue rows)
    {
        var largest = rows.Abs().Largest(1).AtLeast(Tiny);
        var scaled = rows / largest;
        return (scaled * scaled).Sum(1).AtLeast(Tiny).Sqrt() * largest;
    }
}
