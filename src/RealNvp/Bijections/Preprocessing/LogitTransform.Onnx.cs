using RealNvp.Onnx;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class LogitTransform : IOnnxBijection
{
    (OnnxValue Value, OnnxValue? LogDet) IOnnxBijection.WriteOnnx(OnnxValue input, OnnxValue? context, bool inverse)
    {
        var (share, logShare, info) = (1 - (2 * Alpha), Math.Log(1 - (2 * Alpha)), finfo(input.Type));
        if (inverse)
        {
            var size = input.Abs();
            return ((input.Sigmoid() - Alpha) * (1 / share), (-(((-size).Exp().Log1P() * 2) + size) - logShare).SumExamples());
        }
        var p = (input * share) + Alpha;
        var inside = p.Clip(info.tiny, 1 - (info.eps / 2));
        var (logP, logQ) = (inside.Log(), (-inside).Log1P());
        // outside of the domain the density is 0
        var outside = (p - 0.5).Abs().Flat().Largest(1).Greater(0.5 + (8 * info.eps));
        return (logP - logQ, outside.Where(input.Graph.Constant(double.NegativeInfinity), (logShare - (logP + logQ)).SumExamples()));
    }
}
