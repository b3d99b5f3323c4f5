using RealNvp.Internal;
using RealNvp.Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class SylvesterLayer : IOnnxBijection
{
    // in float64, as the library's inverse is
    (OnnxValue Value, OnnxValue? LogDet) IOnnxBijection.WriteOnnx(OnnxValue input, OnnxValue? context, bool inverse)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var graph = input.Graph;
        var (q, outer, inner) = (Householder.Columns(reflections.to(float64), Directions), Triangle(r.to(float64)),
            Triangle(r_tilde.to(float64)));
        var wide = input.To(ScalarType.Float64);
        var slopes = graph.Constant(Slopes(outer, inner).unsqueeze(0), ScalarType.Float64);
        var a = inverse ? Roots(wide.Linear(q.t()), outer, inner, slopes)
            : wide.Linear(inner.mm(q.t()), b.to(float64));
        var bent = a.Tanh().Linear(q.mm(outer));
        var logDet = TanhEquation.LogSlope(a, slopes).Sum(1);
        return ((inverse ? wide - bent : wide + bent).To(input.Type), (inverse ? -logDet : logDet).To(input.Type));
    }

    // y = v + R·tanh(a) and a = R̃·v + b, the last row first: it holds what later rows have found, and its own a alone
    private OnnxValue Roots(OnnxValue y, Tensor outer, Tensor inner, OnnxValue slopes)
    {
        OnnxValue? v = null, h = null, all = null;
        for (var i = Directions - 1; i >= 0; i--)
        {
            var (left, offset) = (y.Narrow(1, i, 1), y.Graph.Constant(b.narrow(0, i, 1).reshape(1, 1), ScalarType.Float64));
            if (v is not null)
            {
                left -= h!.Linear(Behind(outer, i).t());
                offset = v.Linear(Behind(inner, i).t()) + offset;
            }
            var (own, other) = (Diagonal(inner, i).FetchDouble(), Diagonal(outer, i).FetchDouble());
            var a = TanhEquation.Root((left * own) + offset, slopes.Narrow(1, i, 1));
            var bent = a.Tanh();
            var mine = left - (bent * other);
            v = v is null ? mine : OnnxValue.Concat(1, mine, v);
            h = h is null ? bent : OnnxValue.Concat(1, bent, h);
            all = all is null ? a : OnnxValue.Concat(1, a, all);
        }
        return all!;
    }
}
