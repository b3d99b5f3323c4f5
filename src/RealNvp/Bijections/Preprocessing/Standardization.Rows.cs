using RealNvp.Layers;

namespace RealNvp;

/// <content>The layer on few rows.</content>
public sealed partial class Standardization : IRowLayer
{
    int[]? IRowLayer.AddRows(RowBuilder builder, int[] at, bool inverse, bool head)
    {
        builder.Add(builder.Standardized(at, () => mean, () => mean_rest, () => log_std), inverse);
        return at;
    }
}
