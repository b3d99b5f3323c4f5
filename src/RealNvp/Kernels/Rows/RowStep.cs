namespace RealNvp.Kernels;

/// <summary>One layer of a <see cref="RowPlan"/>: an invertible map of rows with its log-determinant.</summary>
/// <remarks>It is never changed once it is made, so that any number of threads may use it.</remarks>
internal abstract class RowStep
{
    /// <summary>The numbers of scratch memory that a block needs.</summary>
    public virtual long Scratch => 0;

    /// <summary>Maps the rows of a block in their place, and adds to their log-determinants.</summary>
    /// <param name="block">The rows.</param>
    /// <param name="inverse">Latents to data in place of data to latents.</param>
    public abstract void Run(in RowBlock block, bool inverse);
}
