using RealNvp.Kernels;
using RealNvp.Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class MixtureCdfTransformer : IOnnxTransformer
{
    // in float64, whatever the graph computes in, as the search of the library
    (OnnxValue Value, OnnxValue? LogDerivative) IOnnxTransformer.WriteOnnx(OnnxValue input, OnnxValue parameters, bool inverse)
    {
        var dtype = input.Type;
        var p = new Parts(OnnxParameters.Split(parameters.To(ScalarType.Float64), ParametersPerElement), Components);
        var x = input.To(ScalarType.Float64);
        if (inverse)
        {
            x = Root((x - p.Shift) * (-p.LogScale).Exp(), p);
            return (x.To(dtype), -(p.Logit(x).LogDerivative + p.LogScale).To(dtype));
        }
        var (value, logDerivative) = p.Logit(x);
        return (((value * p.LogScale.Exp()) + p.Shift).To(dtype), (logDerivative + p.LogScale).To(dtype));
    }

    // the x with logit F(x) = target: it lies between the inverses of the lines of the components, and Newton's method is kept there
    private static OnnxValue Root(OnnxValue target, Parts p)
    {
        var lines = (target.Unsqueeze(1) * p.LogSizes.Exp()) + p.Means;
        OnnxValue low = lines.Smallest(1).Squeeze(1), high = lines.Largest(1).Squeeze(1);
        var found = target.Graph.Loop(MixtureLimits.MaxSteps, [(low + high) * 0.5, low, high, high - low], (_, carried) =>
        {
            var (x, least, most, before) = (carried[0], carried[1], carried[2], carried[3]);
            var (value, logDerivative) = p.Logit(x);
            var residual = value - target;
            var above = residual.Greater(0);
            var (nextLeast, nextMost) = (above.Where(least, x), above.Where(x, most));
            var newton = x - (residual * (-logDerivative).Exp());
            var good = newton.GreaterOrEqual(nextLeast).And(newton.LessOrEqual(nextMost))
                .And((newton - x).Abs().LessOrEqual(before * 0.5));
            var close = residual.Abs().LessOrEqual(target.Abs().AtLeast(1) * MixtureLimits.SmallResidual);
            var next = close.Where(x, good.Where(newton, (nextLeast + nextMost) * 0.5));
            var change = (next - x).Abs();
            var arrived = close.Or(change.LessOrEqual(x.Abs().AtLeast(1) * MixtureLimits.SmallStep));
            return ([next, nextLeast, nextMost, good.Where(change, nextMost - nextLeast)], arrived.Not().Any());
        });
        return found[0];
    }

    /// <summary>The parameters (N, P, C, ...) of the mixture.</summary>
    private sealed class Parts(OnnxValue all, int k)
    {
        public OnnxValue LogWeights { get; } = all.Narrow(1, 0, k).LogSoftmax(1);

        public OnnxValue Means { get; } = all.Narrow(1, k, k);

        public OnnxValue LogSizes { get; } = (all.Narrow(1, 2 * k, k) / MixtureLimits.MaxLogSize).Tanh() * MixtureLimits.MaxLogSize;

        public OnnxValue LogScale { get; } =
            ((all.Narrow(1, 3 * k, 1) / MixtureLimits.MaxLogScale).Tanh() * MixtureLimits.MaxLogScale).Squeeze(1);

        public OnnxValue Shift { get; } = all.Narrow(1, (3 * k) + 1, 1).Squeeze(1);

        /// <summary>logit F(x) and the logarithm of its derivative.</summary>
        public (OnnxValue Value, OnnxValue LogDerivative) Logit(OnnxValue x)
        {
            var u = (x.Unsqueeze(1) - Means) * (-LogSizes).Exp();
            var (right, left) = (u.LogSigmoid(), (-u).LogSigmoid());
            var (below, above) = (LogWeights + right, LogWeights + left);
            var (logBelow, logAbove) = (below.LogSumExp(1), above.LogSumExp(1));
            var density = OnnxValue.Concat(1, below - logBelow + left - LogSizes, above - logAbove + right - LogSizes).LogSumExp(1);
            return ((logBelow - logAbove).Squeeze(1), density.Squeeze(1));
        }
    }
}
