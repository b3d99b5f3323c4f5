using RealNvp.Onnx;

namespace RealNvp;

public sealed partial class DiagonalNormal : IOnnxDensity
{
    OnnxValue IOnnxDensity.WriteOnnx(OnnxValue z, OnnxValue? context)
    {
        var flat = z.Flat();
        if (network is null)
        {
            var (m, s) = (z.Graph.Constant(mean!).Reshape([1, Shape.NumElements]), z.Graph.Constant(log_scale!));
            return GaussianOnnx.LogProb(flat, m, s.Reshape([1, Shape.NumElements]).Limited());
        }
        var (means, logScales) = OnnxParameters.Halves(OnnxNetworks.Write(network, context!));
        return GaussianOnnx.LogProb(flat, means, logScales.Limited());
    }
}
