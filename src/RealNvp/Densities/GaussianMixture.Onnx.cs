using RealNvp.Onnx;

namespace RealNvp;

public sealed partial class GaussianMixture : IOnnxDensity
{
    OnnxValue IOnnxDensity.WriteOnnx(OnnxValue z, OnnxValue? context)
    {
        var (k, d, graph) = (Components, Shape.NumElements, z.Graph);
        // (1, K) and (1, K, D), or (N, K) and (N, K, D) with a context
        var (w, m, s) = (graph.Constant(logits).Reshape([1, k]), graph.Constant(means).Reshape([1, k, d]),
            graph.Constant(log_scales).Reshape([1, k, d]));
        if (network is not null)
        {
            var all = OnnxNetworks.Write(network, context!);
            w = all.Narrow(1, 0, k) + w;
            m = all.Narrow(1, k, k * d).Reshape([-1, k, d]) + m;
            s = all.Narrow(1, k + (k * d), k * d).Reshape([-1, k, d]) + s;
        }
        var each = GaussianOnnx.LogProb(z.Flat().Unsqueeze(1), m, s.Limited()).Squeeze(2);
        return (each + w.LogSoftmax(1)).LogSumExp(1);
    }
}
