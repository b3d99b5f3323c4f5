using RealNvp.Kernels;
using RealNvp.Layers;

namespace RealNvp;

/// <content>The layer on few rows.</content>
public sealed partial class AsinhTransform : IRowLayer
{
    int[]? IRowLayer.AddRows(RowBuilder builder, int[] at, bool inverse, bool head)
    {
        builder.Add(new AsinhRows(at, Threshold), inverse);
        return at;
    }
}
