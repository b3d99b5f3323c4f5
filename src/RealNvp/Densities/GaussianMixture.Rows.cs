using System.Numerics;
using RealNvp.Kernels;
using RealNvp.Layers;

namespace RealNvp;

/// <content>The density on few rows.</content>
public sealed partial class GaussianMixture : IRowDensity
{
    RowDensity? IRowDensity.Rows(RowBuilder builder) => builder.Single ? (RowDensity?)Rows<float>(builder) : Rows<double>(builder);

    private MixtureDensityRows<T>? Rows<T>(RowBuilder builder) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        RowNetwork<T>? inside = null;
        if (network is not null)
        {
            if (network is not IRowConditioner rows || rows.Rows<T>(builder, []) is not var (_, found)) return null;
            inside = found;
        }
        return new MixtureDensityRows<T>(builder.Numbers(() => logits), builder.Numbers(() => means), builder.Numbers(() => log_scales),
            inside);
    }
}
