namespace RealNvp.Kernels;

/// <summary>A mixture of logistics: its inverse is a search in float64.</summary>
/// <param name="code">Value and log-derivative, for the inverse at its root.</param>
/// <param name="search">The root, in float64.</param>
internal sealed unsafe class MixtureRowMap(ElementwiseCode code, ElementwiseCode search) : RowMap(code)
{
    // y, parameters, root and residual as numbers of float64, and the root as float32
    public override long Scratch(long elements) => (2 * (RowScratch.Size(elements) * (Parameters + 3))) + RowScratch.Size(elements);

    public override void Run(in CouplingBlock block, bool inverse, float* scratch)
    {
        if (inverse) Search(block, scratch);
        else base.Run(block, false, scratch);
    }

    private void Search(in CouplingBlock block, float* scratch)
    {
        var (columns, count) = (block.Columns, (long)block.Rows * block.Columns);
        var memory = new RowScratch(scratch);
        double* y = (double*)memory.Take(2 * count), wide = (double*)memory.Take(2 * count * Parameters),
            root = (double*)memory.Take(2 * count), residual = (double*)memory.Take(2 * count);
        var roots = memory.Take(count);
        for (long i = 0; i < count; i++) y[i] = block.Input[i];
        for (long row = 0; row < block.Rows; row++)
            for (long i = 0; i < Parameters * columns; i++) wide[(row * Parameters * columns) + i] = block.Raw[(row * block.RawRow) + i];
        var streams = stackalloc Stream<double>[4];
        streams[0] = new((nint)y, columns, 1, false);
        streams[1] = new((nint)wide, Parameters * columns, Parameters, false) { Block = columns };
        streams[2] = new((nint)root, columns, 1, true);
        streams[3] = new((nint)residual, columns, 1, true);
        search.Run(new ElementJob<double> { Streams = streams, Count = 4, Inner = columns, Runs = 1, End = block.Rows });
        // where the search found nothing the result says so
        for (long i = 0; i < count; i++) roots[i] = residual[i] <= MixtureLimits.MaxResidual ? (float)root[i] : float.NaN;
        var found = block;
        found.Input = roots;
        base.Run(found, true, scratch);
    }
}
