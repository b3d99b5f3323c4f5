using RealNvp.Internal;
using RealNvp.Kernels;
using RealNvp.Layers;

namespace RealNvp;

/// <content>The density on few rows.</content>
public sealed partial class StudentT : IRowDensity
{
    RowDensity IRowDensity.Rows(RowBuilder builder) =>
        new WeightStudentRows(builder.Numbers(() => log_degrees), SpecialFunctions.LogGamma);
}
