using RealNvp.Kernels;
using RealNvp.Layers;

namespace RealNvp;

/// <content>The density on few rows.</content>
public sealed partial class StandardNormal : IRowDensity
{
    RowDensity IRowDensity.Rows(RowBuilder builder) => new NormalRows();
}
