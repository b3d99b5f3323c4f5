using System.Numerics;
using RealNvp.Kernels;
using RealNvp.Layers;

namespace RealNvp;

/// <content>The density on few rows.</content>
public sealed partial class DiagonalNormal : IRowDensity
{
    RowDensity? IRowDensity.Rows(RowBuilder builder) => builder.Single ? (RowDensity?)Rows<float>(builder) : Rows<double>(builder);

    private MixtureDensityRows<T>? Rows<T>(RowBuilder builder) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        if (network is null)
            return new MixtureDensityRows<T>(null, builder.Numbers(() => mean!), builder.Numbers(() => log_scale!), null);
        var none = new FixedNumbers(new double[Shape.NumElements]);
        return network is IRowConditioner rows && rows.Rows<T>(builder, []) is var (_, inside)
            ? new MixtureDensityRows<T>(null, none, none, inside) : null;
    }
}
