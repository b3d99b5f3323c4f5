using RealNvp.Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

public partial class CouplingLayer : IOnnxBijection
{
    (OnnxValue Value, OnnxValue? LogDet) IOnnxBijection.WriteOnnx(OnnxValue input, OnnxValue? context, bool inverse)
    {
        var parameters = PartitionOnnx.Restrict(partition, Parameters(PartitionOnnx.Kept(partition, input), context));
        var changed = PartitionOnnx.Changed(partition, input);
        var (value, logDerivative) = transformer.ToOnnx(changed, parameters, inverse);
        if (!transformer.IsIdentityAtZeroExactly && partition.Changes is { } changes)
        {
            using var scope = NewDisposeScope();
            var moves = input.Graph.Constant(changes.to(ScalarType.Bool));
            value = moves.Where(value, changed);
            if (logDerivative is not null) logDerivative = moves.Where(logDerivative, input.Graph.Constant(0));
        }
        return (PartitionOnnx.Merge(partition, input, value), logDerivative?.SumExamples());
    }

    private OnnxValue Parameters(OnnxValue kept, OnnxValue? context)
    {
        if (Sizes.MaskIsInput)
        {
            using var scope = NewDisposeScope();
            var mask = ((DensePartition)partition).Keeps;
            var channel = kept.Graph.Constant(mask.reshape([1, 1, .. mask.shape[^2..]]));
            kept = OnnxValue.Concat(1, kept, channel.Expand([-1, 1, .. kept.Shape.Skip(2)], kept));
        }
        return OnnxNetworks.Write(conditioner, kept, context);
    }
}
