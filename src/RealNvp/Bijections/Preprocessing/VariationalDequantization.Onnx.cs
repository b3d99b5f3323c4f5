using RealNvp.Onnx;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class VariationalDequantization : IOnnxBijection
{
    // the noise that the noise flow maps is an input
    (OnnxValue Value, OnnxValue? LogDet) IOnnxBijection.WriteOnnx(OnnxValue input, OnnxValue? context, bool inverse)
    {
        UniformDequantization.CheckDigits(Levels, input.Type, GetName());
        var (info, count) = (finfo(input.Type), input.Shape[1]);
        var margin = UniformDequantization.Margin(Levels, input.Type);
        var bound = Math.Log((1 - margin) / margin);
        var logCells = input.EventShape.NumElements * Math.Log(Levels);
        OnnxValue Unit(OnnxValue x) => (x * (2.0 / (Levels - 1))) - 1;
        if (!inverse)
        {
            var uniform = input.Graph.NoiseInput(input.EventShape).Clip(info.eps, 1 - info.eps);
            var epsilon = uniform.Log() - (-uniform).Log1P();
            var (joint, logDet) = noise.ToOnnx(OnnxValue.Concat(1, Unit(input), epsilon), context);
            var v = (joint.Narrow(1, count, count) / bound).Tanh();
            var total = (OnnxLogSlope(v, v * bound) - LogLogistic(epsilon)).SumExamples() - logCells;
            return ((input + (v * bound).Sigmoid()) * (1.0 / Levels), OnnxValue.Sum(total, logDet));
        }
        var scaled = input * Levels;
        var x = scaled.Floor().Clip(0, Levels - 1.0);
        var most = Math.Tanh(Math.Log(1 / info.eps) / 4);
        var within = (scaled - x).Clip(info.tiny, 1 - info.eps);
        var w = ((within.Log() - (-within).Log1P()) / bound).Clip(-most, most);
        // atanh
        var back = ((w.Log1P() - (-w).Log1P()) * 0.5) * bound;
        var (both, logBack) = noise.ToOnnx(OnnxValue.Concat(1, Unit(x), back), context, inverse: true);
        var sum = logCells - (OnnxLogSlope(w, w * bound) - LogLogistic(both.Narrow(1, count, count))).SumExamples();
        return (x, OnnxValue.Sum(sum, logBack));
    }

    private static OnnxValue LogLogistic(OnnxValue x) => x.LogSigmoid() + (-x).LogSigmoid();

    private static OnnxValue OnnxLogSlope(OnnxValue tanh, OnnxValue w) =>
        LogLogistic(w) + (-(tanh * tanh)).AtLeast(-1 + finfo(tanh.Type).eps).Log1P();
}
