using RealNvp.Kernels;
using RealNvp.Layers;

namespace RealNvp;

/// <content>The density on few rows.</content>
public sealed partial class UniformBox : IRowDensity
{
    RowDensity IRowDensity.Rows(RowBuilder builder) => new BoxRows(Low, High);
}
