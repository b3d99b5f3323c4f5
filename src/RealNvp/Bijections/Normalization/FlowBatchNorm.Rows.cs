using RealNvp.Kernels;
using RealNvp.Layers;

namespace RealNvp;

/// <content>The running statistics on few rows.</content>
public sealed partial class FlowBatchNorm : IRowLayer
{
    int[]? IRowLayer.AddRows(RowBuilder builder, int[] at, bool inverse, bool head)
    {
        if (InputShape!.Value.Count != 1 || partition is not (null or SplitPartition)) return null;
        var changed = partition is SplitPartition split ? Array.ConvertAll(split.ChangedAt, i => at[i]) : at;
        builder.Add(new WeightScaleRows(changed, ScaleForm.Variance, builder.Numbers(() => running_var))
        {
            Centre = builder.Numbers(() => running_mean), Epsilon = Eps,
        }, inverse);
        return at;
    }
}
