using RealNvp.Kernels;
using RealNvp.Layers;

namespace RealNvp;

/// <summary>An encoder of contexts that are vectors, which says what it is on few rows.</summary>
internal interface IRowEncoder
{
    /// <summary>The step that makes features of contexts, in their place.</summary>
    RowStep Rows(RowBuilder builder);
}
