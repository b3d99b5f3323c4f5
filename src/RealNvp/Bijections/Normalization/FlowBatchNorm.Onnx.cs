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
        var a = RunningMoments.PerChannel(logScale.exp(), input.Shape.Count);
        var mean = RunningMoments.PerChannel(running_mean.to(float64), input.Shape.Count);
        if (partition?.Changes is { } changes)
        {
            a = a.sub(Scalars.One).mul(changes).add(Scalars.One, Scalars.One);
            mean = mean.mul(changes);
        }
        var part = partition is null ? input : PartitionOnnx.Changed(partition, input);
        var (factor, centre) = (input.Graph.Constant(a), input.Graph.Constant(mean));
        var value = inverse ? (part * factor) + centre : (part - centre) * factor;
        var pixels = elements is null ? part.Shape.Skip(2).Aggregate(1.0, (n, s) => n * s) : 1;
        var sum = (elements is null ? logScale : logScale.mul(elements.Value)).sum().mul(Scalars.Of(pixels));
        return (partition is null ? value : PartitionOnnx.Merge(partition, input, value), input.Graph.Constant(sum.reshape(1, 1)));
    }
}
