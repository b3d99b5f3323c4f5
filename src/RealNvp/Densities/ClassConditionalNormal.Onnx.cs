using RealNvp.Onnx;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class ClassConditionalNormal : IOnnxDensity
{
    OnnxValue IOnnxDensity.WriteOnnx(OnnxValue z, OnnxValue? context)
    {
        using var scope = NewDisposeScope();
        return GaussianOnnx.LogProb(z.Flat(), context!.Linear(means.detach().t()), context.Linear(log_scales.detach().t()).Limited());
    }
}
