using RealNvp.Kernels;
using RealNvp.Layers;

namespace RealNvp;

/// <content>The maps on few rows.</content>
public sealed partial class MixedTransformer
{
    internal override RowGroup<T>[]? RowGroups<T>(RowBuilder builder, int columns)
    {
        var all = new List<RowGroup<T>>();
        foreach (var part in parts)
        {
            int[] own = [.. Enumerable.Range(0, columns).Where(i => ReferenceEquals(ofFeature[i], part))];
            if (part.RowMap<T>(builder, own.Length) is not { } map) return null;
            all.Add(new(map, own));
        }
        return [.. all];
    }
}
