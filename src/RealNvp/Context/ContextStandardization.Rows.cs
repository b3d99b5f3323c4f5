using RealNvp.Kernels;
using RealNvp.Layers;

namespace RealNvp;

/// <content>The contexts of few rows.</content>
public sealed partial class ContextStandardization : IRowEncoder
{
    RowStep IRowEncoder.Rows(RowBuilder builder) => builder.Standardized([.. Enumerable.Range(0, (int)Size)], () => mean,
        () => mean_rest, () => log_std);
}
