using RealNvp.Kernels;
using RealNvp.Layers;

namespace RealNvp;

/// <content>The scales on few rows.</content>
public sealed partial class DiagonalScaling : IRowLayer
{
    int[]? IRowLayer.AddRows(RowBuilder builder, int[] at, bool inverse, bool head)
    {
        builder.Add(new WeightScaleRows(at, ScaleForm.Log, builder.Numbers(() => log_scale)), inverse);
        return at;
    }
}
