using System.Numerics;
using RealNvp.Kernels;
using RealNvp.Layers;

namespace RealNvp;

/// <content>The layer on few rows.</content>
public sealed partial class AutoregressiveLayer : IRowLayer
{
    int[]? IRowLayer.AddRows(RowBuilder builder, int[] at, bool inverse, bool head)
    {
        if ((builder.Single ? (RowStep?)Rows<float>(builder, at) : Rows<double>(builder, at)) is not { } step) return null;
        builder.Add(step, inverse);
        return at;
    }

    private MadeRows<T>? Rows<T>(RowBuilder builder, int[] at) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        if (made?.RowShape(builder) is not var (shape, weights)) return null;
        // of a map whose learned number is one for all features
        return transformer.RowMap<T>(builder, at.Length) is { } map ? new MadeRows<T>(at, shape, weights, map) : null;
    }
}
