using System.Numerics;
using RealNvp.Kernels;
using RealNvp.Layers;

namespace RealNvp;

/// <content>The map on few rows.</content>
public abstract partial class ScalarTransformer
{
    /// <summary>The map of so many features of rows; null if there is none.</summary>
    internal virtual RowMap<T>? RowMap<T>(RowBuilder builder, int columns) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        if (Map is not { } map) return null;
        builder.Tensors.Require(() => map.IsOn);
        if (map.RootCode is { } search) return new MixtureRowMap<T>(map, search);
        if (map.Weight is not { } weight) return new RowMap<T>(map, RowWeight.None);
        var count = weight.numel();
        return count == 1 || count == columns ? new RowMap<T>(map, new(0, builder.Weight(() => map.Weight!), (int)count)) : null;
    }

    /// <summary>The maps of all features, each of some of them; null if one has none.</summary>
    internal virtual RowGroup<T>[]? RowGroups<T>(RowBuilder builder, int columns) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        RowMap<T>(builder, columns) is { } map ? [new(map, [.. Enumerable.Range(0, columns)])] : null;
}
