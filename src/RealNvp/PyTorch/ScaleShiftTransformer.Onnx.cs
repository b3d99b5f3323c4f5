using RealNvp.Onnx;

namespace RealNvp;

internal sealed partial class ScaleShiftTransformer : IOnnxTransformer
{
    (OnnxValue Value, OnnxValue? LogDerivative) IOnnxTransformer.WriteOnnx(OnnxValue input, OnnxValue parameters, bool inverse)
    {
        var half = parameters.Shape[1] / 2;
        var (a, shift) = (parameters.Narrow(1, 0, half), parameters.Narrow(1, half, half));
        var (scale, log) = function switch
        {
            ScaleFunction.Exp => (a.Exp(), a),
            ScaleFunction.SoftClippedExp => SoftClip(a, Math.Log(epsilon)) is var clipped ? (clipped.Exp(), clipped) : default,
            ScaleFunction.Sigmoid => (a + 2).Sigmoid() + epsilon is var scaled ? (scaled, scaled.Log()) : default,
            ScaleFunction.Softplus => a.Softplus() + epsilon is var scaled ? (scaled, scaled.Log()) : default,
            _ => (a.Softplus() + epsilon).AtMost(3) is var scaled ? (scaled, scaled.Log()) : default,
        };
        return inverse ? ((input - shift) / scale, -log) : ((input * scale) + shift, log);
    }

    /// <summary>a / (1 + |a / limit|).</summary>
    public static OnnxValue SoftClip(OnnxValue a, double limit) => a / ((a / limit).Abs() + 1);
}
