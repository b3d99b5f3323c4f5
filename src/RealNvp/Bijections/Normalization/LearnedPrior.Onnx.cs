using RealNvp.Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class LearnedPrior : IOnnxBijection
{
    // the parameters are the same for all examples, and constants
    (OnnxValue Value, OnnxValue? LogDet) IOnnxBijection.WriteOnnx(OnnxValue input, OnnxValue? context, bool inverse)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var parameters = input.Graph.Constant(Parameters(conv.Parts.Weight));
        var (value, logDerivative) = transformer.ToOnnx(input, parameters, inverse);
        return (value, logDerivative!.SumExamples());
    }
}
