using RealNvp.Onnx;

namespace RealNvp;

public sealed partial class AsinhTransform : IOnnxBijection
{
    (OnnxValue Value, OnnxValue? LogDet) IOnnxBijection.WriteOnnx(OnnxValue input, OnnxValue? context, bool inverse)
    {
        var u = input * (1 / Threshold);
        var log = inverse ? u : Asinh(u);
        var size = log.Abs();
        var logCosh = (size + (size * -2).Exp().Log1P() - Math.Log(2)).SumExamples();
        // sinh by e^u - 1, which is exact near 0
        if (!inverse) return (log * Threshold, -logCosh);
        var above = size.ExpM1();
        return (log.Sign() * ((above + (above / (above + 1))) * 0.5) * Threshold, logCosh);
    }

    // log(|u| + √(1 + u²)) = log1p(|u| + u²/(1 + √(1 + u²))), in which nothing cancels; far out log(2|u|), where u² is no number
    private static OnnxValue Asinh(OnnxValue u)
    {
        var size = u.Abs();
        var near = size.AtMost(1e4);
        var square = near * near;
        var log = (near + (square / ((square + 1).Sqrt() + 1))).Log1P();
        return u.Sign() * size.Greater(1e4).Where(size.AtLeast(1).Log() + Math.Log(2), log);
    }
}
