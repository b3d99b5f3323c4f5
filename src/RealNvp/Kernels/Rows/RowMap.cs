namespace RealNvp.Kernels;

/// <summary>An elementwise map on rows, whose parameters come from a network.</summary>
/// <param name="code">Its kernel.</param>
/// <param name="weight">A number in all or one a column, if the map has such; else null.</param>
/// <param name="weights">How many.</param>
internal unsafe class RowMap(ElementwiseCode code, float* weight = null, int weights = 0)
{
    /// <summary>The parameters of an element.</summary>
    public int Parameters => code.Parameters;

    /// <summary>The numbers of scratch memory that so many elements need.</summary>
    public virtual long Scratch(long elements) => 0;

    /// <summary>Values and log-derivatives of rows.</summary>
    public virtual void Run(in CouplingBlock block, bool inverse, float* scratch) =>
        new CouplingMap(code, inverse, weight, weights).Values(block);
}
