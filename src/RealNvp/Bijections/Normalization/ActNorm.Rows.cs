using RealNvp.Kernels;
using RealNvp.Layers;

namespace RealNvp;

/// <content>The scales and shifts on few rows.</content>
public sealed partial class ActNorm : IRowLayer
{
    int[]? IRowLayer.AddRows(RowBuilder builder, int[] at, bool inverse, bool head)
    {
        if (InputShape!.Value.Count != 1) return null;
        builder.Add(new WeightScaleRows(at, ScaleForm.Log, builder.Numbers(() => log_scale))
        {
            Shift = builder.Numbers(() => shift),
        }, inverse);
        return at;
    }
}
