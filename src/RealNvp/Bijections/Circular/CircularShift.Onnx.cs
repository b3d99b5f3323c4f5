using RealNvp.Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class CircularShift : IOnnxBijection
{
    (OnnxValue Value, OnnxValue? LogDet) IOnnxBijection.WriteOnnx(OnnxValue input, OnnxValue? context, bool inverse)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var by = input.Graph.Constant(Shifts(float64));
        return (CircleElementsOnnx.Wrapped(elements, inverse ? input - by : input + by), null);
    }
}
