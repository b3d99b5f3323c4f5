using RealNvp.Onnx;

namespace RealNvp;

public sealed partial class ResampledNormal : IOnnxDensity
{
    OnnxValue IOnnxDensity.WriteOnnx(OnnxValue z, OnnxValue? context)
    {
        var flat = z.Flat();
        var normal = GaussianOnnx.MinusHalfSquare(flat).Sum(1) - (0.5 * Shape.NumElements * Math.Log(2 * Math.PI));
        if (Tries == 1) return normal;
        var total = Math.Clamp(Normalizer, 1e-6, 1 - 1e-6);
        var logAlpha = Math.Log(1 - total) * (Tries - 1.0);
        var accepted = OnnxNetworks.Write(network, flat).LogSigmoid() + (Math.Log(-Math.Exp(logAlpha) + 1) - Math.Log(total));
        // log(eᵃ + eᵇ)
        var (a, b) = (accepted, z.Graph.Constant(logAlpha));
        return normal + a.Max(b) + (-(a - b).Abs()).Exp().Log1P();
    }
}
