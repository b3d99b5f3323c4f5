using RealNvp.Internal;
using RealNvp.Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class StudentT : IOnnxDensity
{
    OnnxValue IOnnxDensity.WriteOnnx(OnnxValue z, OnnxValue? context)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var nu = log_degrees.to(float64).clamp(least, most).exp();
        var half = nu.mul(Scalars.Half);
        var above = half.add(Scalars.Half, Scalars.One);
        var constant = above.lgamma().sub(half.lgamma()).sub(nu.log().mul(Scalars.Half)).sub(halfLogPi).sum();
        OnnxValue Row(Tensor t) => z.Graph.Constant(t.reshape(1, -1));
        // log(1 + z²/ν), for z whose square is no number of the dtype too
        var size = z.Flat().Abs() * Row(nu.sqrt().reciprocal());
        var (small, large) = (size.AtMost(1), size.AtLeast(1));
        var inverse = 1 / large;
        var tail = size.LessOrEqual(1).Where((small * small).Log1P(), (inverse * inverse).Log1P() + (large.Log() * 2));
        return Row(constant) - (Row(above) * tail).Sum(1);
    }
}
