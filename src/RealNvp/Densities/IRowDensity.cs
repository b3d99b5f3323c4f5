using RealNvp.Kernels;
using RealNvp.Layers;

namespace RealNvp;

/// <summary>A density of vectors that says what it is on few rows.</summary>
internal interface IRowDensity
{
    /// <summary>The density on rows; null if there is none. Gradients and samples are those of tensors.</summary>
    RowDensity? Rows(RowBuilder builder);
}
