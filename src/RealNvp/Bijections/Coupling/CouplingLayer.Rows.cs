using System.Numerics;
using RealNvp.Kernels;
using RealNvp.Layers;

namespace RealNvp;

/// <content>The coupling on few rows.</content>
public partial class CouplingLayer : IRowLayer
{
    int[]? IRowLayer.AddRows(RowBuilder builder, int[] at, bool inverse, bool head)
    {
        if (partition is not SplitPartition || InputShape!.Value.Count != 1 || Sizes.MaskIsInput) return null;
        if ((builder.Single ? (RowStep?)Rows<float>(builder, at) : Rows<double>(builder, at)) is not { } step) return null;
        builder.Add(step, inverse);
        return at;
    }

    private CouplingRows<T>? Rows<T>(RowBuilder builder, int[] at) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var split = (SplitPartition)partition;
        int[] kept = Array.ConvertAll(split.KeptAt, i => at[i]), changed = Array.ConvertAll(split.ChangedAt, i => at[i]);
        if (conditioner is not IRowConditioner rows || rows.Rows<T>(builder, kept) is not var (reading, network)
            || network.Program.Outputs != changed.Length * transformer.ParametersPerElement
            || transformer.RowGroups<T>(builder, changed.Length) is not { } groups) return null;
        return new CouplingRows<T>(reading, changed, network, groups);
    }
}
