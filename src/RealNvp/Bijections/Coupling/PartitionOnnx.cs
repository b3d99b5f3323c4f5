using RealNvp.Onnx;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A partition as a graph of ONNX. Where it is a split, the parts are moved; where it is dense, numbers are multiplied.</summary>
internal static class PartitionOnnx
{
    public static OnnxValue Kept(Partition partition, OnnxValue x) =>
        partition is DensePartition dense ? x * x.Graph.Constant(dense.Keeps) : x.Moved(partition.Kept);

    public static OnnxValue Changed(Partition partition, OnnxValue x) => partition is DensePartition ? x : x.Moved(partition.Changed);

    /// <summary>1 if a parameter of a dense mask counts, of the shape of one example's parameters.</summary>
    public static OnnxValue Restrict(Partition partition, OnnxValue parameters)
    {
        if (partition is not DensePartition) return parameters;
        using var scope = NewDisposeScope();
        // what the mask leaves of ones
        var counts = partition.Restrict(ones(parameters.EventShape.WithBatch(1), dtype: partition.Changes!.dtype,
            device: partition.Changes.device));
        return parameters * parameters.Graph.Constant(counts);
    }

    public static OnnxValue Merge(Partition partition, OnnxValue x, OnnxValue changed) => partition is DensePartition ? changed
        : OnnxValue.Moved([x, changed], parts => [partition.Merge(parts[0], parts[1])])[0];
}
