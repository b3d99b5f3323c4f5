using RealNvp.Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

internal static partial class TanhEquation
{
    /// <summary>log g′(a) in a graph of ONNX.</summary>
    public static OnnxValue LogSlope(OnnxValue a, OnnxValue p) => Slope(a, p).Log();

    /// <summary>The a with g(a) = target, of values (N, 1) of dtype float64, by the same steps of Newton's method.</summary>
    public static OnnxValue Root(OnnxValue target, OnnxValue p)
    {
        var t = target.Abs();
        var convex = p.Less(1);
        var start = (t - (p - 1)).AtLeast(0);
        var root = target.Graph.Loop(MaxSteps, [start], (_, carried) =>
        {
            var a = carried[0];
            var newton = a - ((a + ((p - 1) * a.Tanh()) - t) / Slope(a, p));
            // what rounding sends back has arrived
            var next = convex.Where(a.Min(newton), a.Max(newton));
            return ([next], (next - a).Abs().Greater(0).Any());
        });
        return root[0] * target.Sign();
    }

    private static OnnxValue Slope(OnnxValue a, OnnxValue p)
    {
        var e = (a.Abs() * -2).Exp();
        var (tanh, above) = (a.Tanh(), e + 1);
        return (tanh * tanh) + (e * 4 / (above * above) * p);
    }
}
