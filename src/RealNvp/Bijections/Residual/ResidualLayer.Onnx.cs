using RealNvp.Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class ResidualLayer : IOnnxBijection
{
    // a step of the search takes the error down by the Lipschitz constant; it ends when a step is below this part of the value
    private const double OnnxStep = 1e-12;

    // in float64, whatever the graph computes in
    (OnnxValue Value, OnnxValue? LogDet) IOnnxBijection.WriteOnnx(OnnxValue input, OnnxValue? context, bool inverse)
    {
        if (!IsExact) throw new OnnxExportException(
            $"has a log-determinant that is estimated with random vectors, beyond {LogDet.ExactUpTo} features, which has no graph. Raise " +
            $"{nameof(ResidualLogDet)}.{nameof(ResidualLogDet.ExactUpTo)}, or take a coupling or autoregressive flow.", this);
        if (network is not IOnnxJacobian writing || input.Shape.Count != 2) throw new OnnxExportException(
            $"has a network that does not say how its Jacobian is written as a graph of ONNX: a {nameof(LipschitzMlp)} of vectors does. " +
            $"Implement {nameof(IOnnxJacobian)} in {network.GetType().Name}.", this);
        var (wide, given) = (input.To(ScalarType.Float64), context?.To(ScalarType.Float64));
        var x = inverse ? Root(writing, wide, given) : wide;
        var (g, jacobian) = writing.WriteOnnxJacobian(x, given);
        var logDet = LogDetOf(jacobian);
        return ((inverse ? x : x + g).To(input.Type), (inverse ? -logDet : logDet).To(input.Type));
    }

    // x ← z − g(x), a contraction
    private OnnxValue Root(IOnnxJacobian writing, OnnxValue z, OnnxValue? context)
    {
        var passes = (long)Math.Min(20_000, 20 + Math.Ceiling(Math.Log(OnnxStep * (1 - LipschitzBound)) / Math.Log(LipschitzBound)));
        return z.Graph.Loop(passes, [z], (_, carried) =>
        {
            var next = z - writing.WriteOnnx(carried[0], context);
            var step = (next - carried[0]).Abs();
            return ([next], step.Greater(next.Abs().AtLeast(1) * (OnnxStep * (1 - LipschitzBound))).Any());
        })[0];
    }

    // log det(I + J): with ‖J‖ < 1 no pivot of Gaussian elimination is 0 or negative, in the norms 1, 2 and infinity
    private static OnnxValue LogDetOf(OnnxValue jacobian)
    {
        using var scope = NewDisposeScope();
        var rest = jacobian + jacobian.Graph.Constant(eye(jacobian.Shape[1], dtype: float64).unsqueeze(0), jacobian.Type);
        OnnxValue? total = null;
        for (var size = jacobian.Shape[1]; ; size--)
        {
            var pivot = rest.Narrow(1, 0, 1).Narrow(2, 0, 1);
            total = OnnxValue.Sum(total, pivot.Log());
            if (size == 1) return total!.Squeeze(2);
            OnnxValue below = rest.Narrow(1, 1, size - 1), right = rest.Narrow(1, 0, 1).Narrow(2, 1, size - 1);
            rest = below.Narrow(2, 1, size - 1) - (below.Narrow(2, 0, 1) / pivot).MatMul(right);
        }
    }
}
