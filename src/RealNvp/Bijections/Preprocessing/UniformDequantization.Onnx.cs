using RealNvp.Onnx;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class UniformDequantization : IOnnxBijection
{
    // the noise is an input
    (OnnxValue Value, OnnxValue? LogDet) IOnnxBijection.WriteOnnx(OnnxValue input, OnnxValue? context, bool inverse)
    {
        var graph = input.Graph;
        CheckDigits(Levels, input.Type, GetName());
        var logDet = graph.Number(input.EventShape.NumElements * (inverse ? logLevels : -logLevels), input.Type, 2);
        if (inverse) return ((input * Levels).Floor().Clip(0, Levels - 1.0), logDet);
        var margin = Margin(Levels, input.Type);
        var noise = graph.NoiseInput(input.EventShape).Clip(margin, 1 - margin);
        return ((input + noise) * (1.0 / Levels), logDet);
    }
}
