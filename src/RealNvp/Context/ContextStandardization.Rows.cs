using RealNvp.Kernels;
using RealNvp.Layers;

namespace RealNvp;

/// <content>The contexts of few rows.</content>
public sealed partial class ContextStandardization : IRowEncoder
{
    RowStep IRowEncoder.Rows(RowBuilder builder) => new WeightScaleRows([.. Enumerable.Range(0, (int)Size)], ScaleForm.MinusLog,
        builder.Numbers(() => log_std)) { Centre = builder.Numbers(() => mean), Rest = builder.Numbers(() => mean_rest) };
}
