using RealNvp.Kernels;
using RealNvp.Layers;

namespace RealNvp;

/// <content>The circles of few rows.</content>
public sealed partial class Wrap : IRowLayer
{
    int[]? IRowLayer.AddRows(RowBuilder builder, int[] at, bool inverse, bool head)
    {
        var circle = elements.Circles[0];
        builder.Add(new CircleRows([.. elements.Circles.Select(c => at[c.Feature])], circle.Low, circle.High, null), inverse);
        return at;
    }
}
