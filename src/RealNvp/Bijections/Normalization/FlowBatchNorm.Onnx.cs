using RealNvp.Internal;
using RealNvp.Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public sealed partial class FlowBatchNorm : IOnnxBijection
{
    // in evaluation the statistics are constants
    (OnnxValue Value, OnnxValue? LogDet) IOnnxBijection.WriteOnnx(OnnxValue input, OnnxValue? context, bool inverse)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var logScale = running_var.to(float64).add(epsilon, Scalars.One).log().mul(inverse ? Scalars.Half : Scalars.MinusHalf);
        var (scale, mean) = (logScale.exp(), running_mean.to(float64));
        var shift = inverse ? mean : mean.neg().mul(scale);
        var (a, b) = (RunningMoments.PerChannel(scale, input.Shape.Count), RunningMoments.PerChannel(shift, input.Shape.Count));
        if (partition?.Changes is { } changes)
        {
            a = a.sub(Scalars.One).mul(changes).add(Scalars.One, Scalars.One);
            b = b.mul(changes);
        }
        var part = partition is null ? input : PartitionOnnx.Changed(partition, input);
        var value = (part * input.Graph.Constant(a)) + input.Graph.Constant(b);
        var pixels = elements is null ? part.Shape.Skip(2).Aggregate(1.0, (n, s) => n * s) : 1;
        var sum = (elements is null ? logScale : logScale.mul(elements.Value)).sum().mul(Scalars.Of(pixels));
        return (partition is null ? value : PartitionOnnx.Merge(partition, input, value), input.Graph.Constant(sum.reshape(1, 1)));
    }
}
