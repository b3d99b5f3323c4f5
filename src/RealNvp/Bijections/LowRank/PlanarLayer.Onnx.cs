using RealNvp.Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class PlanarLayer : IOnnxBijection
{
    // in float64, as the library's inverse is
    (OnnxValue Value, OnnxValue? LogDet) IOnnxBijection.WriteOnnx(OnnxValue input, OnnxValue? context, bool inverse)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var (graph, normal) = (input.Graph, w.to(float64));
        var (direction, slope) = Direction(normal, u.to(float64));
        OnnxValue Wide(Tensor t) => graph.Constant(t, ScalarType.Float64);
        var (along, p) = (Wide(direction.unsqueeze(0)), Wide(slope.reshape(1, 1)));
        var wide = input.To(ScalarType.Float64);
        var a = wide.Linear(normal.unsqueeze(0), b.to(float64));
        var isTanh = Activation == PlanarActivation.Tanh;
        if (inverse) a = isTanh ? TanhEquation.Root(a, p) : a / Leaky(a, p);
        var bent = isTanh ? a.Tanh() : a.Greater(0).Where(a, a * Leak);
        var logDet = isTanh ? TanhEquation.LogSlope(a, p) : Leaky(a, p).Log();
        var value = inverse ? wide - (bent * along) : wide + (bent * along);
        return (value.To(input.Type), (inverse ? -logDet : logDet).To(input.Type));
    }

    private static OnnxValue Leaky(OnnxValue a, OnnxValue p) => a.Greater(0).Where(p, ((p - 1) * Leak) + 1);
}
