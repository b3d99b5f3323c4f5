using RealNvp.Kernels;
using RealNvp.Layers;

namespace RealNvp;

/// <content>The layer on few rows.</content>
public sealed partial class Standardization : IRowLayer
{
    int[]? IRowLayer.AddRows(RowBuilder builder, int[] at, bool inverse, bool head)
    {
        builder.Add(new WeightScaleRows(at, ScaleForm.MinusLog, builder.Numbers(() => log_std))
        {
            Centre = builder.Numbers(() => mean), Rest = builder.Numbers(() => mean_rest),
        }, inverse);
        return at;
    }
}
