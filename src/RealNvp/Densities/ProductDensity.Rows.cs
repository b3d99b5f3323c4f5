using RealNvp.Kernels;
using RealNvp.Layers;

namespace RealNvp;

/// <content>The densities of the parts on few rows.</content>
public sealed partial class ProductDensity : IRowDensity
{
    RowDensity? IRowDensity.Rows(RowBuilder builder)
    {
        var all = new List<(int[] At, RowDensity Density)>();
        for (var i = 0; i < features.Length; i++)
        {
            if (parts[i] is not IRowDensity part || part.Rows(builder) is not { } density) return null;
            all.Add(([.. features[i]], density));
        }
        return new ProductRows([.. all]);
    }
}
