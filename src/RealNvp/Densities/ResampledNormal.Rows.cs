using System.Numerics;
using RealNvp.Kernels;
using RealNvp.Layers;

namespace RealNvp;

/// <content>The density on few rows.</content>
public sealed partial class ResampledNormal : IRowDensity
{
    RowDensity? IRowDensity.Rows(RowBuilder builder) =>
        Tries == 1 ? new NormalRows() : builder.Single ? (RowDensity?)Rows<float>(builder) : Rows<double>(builder);

    private ResampledRows<T>? Rows<T>(RowBuilder builder) where T : unmanaged, IBinaryFloatingPointIeee754<T> =>
        network is IRowConditioner rows && rows.Rows<T>(builder, []) is var (_, inside)
            ? new ResampledRows<T>(inside, builder.Numbers(() => normalizer), Tries) : null;
}
