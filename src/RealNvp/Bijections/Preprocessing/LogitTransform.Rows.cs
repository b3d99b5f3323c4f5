using RealNvp.Kernels;
using RealNvp.Layers;

namespace RealNvp;

/// <content>The layer on few rows.</content>
public sealed partial class LogitTransform : IRowLayer
{
    int[]? IRowLayer.AddRows(RowBuilder builder, int[] at, bool inverse, bool head)
    {
        builder.Add(new LogitRows(at, Alpha), inverse);
        return at;
    }
}
