using System.Numerics;

namespace RealNvp.Kernels;

/// <summary>A mixture of logistics: its inverse is a search in float64.</summary>
/// <param name="code">Value and log-derivative, for the inverse at its root.</param>
/// <param name="search">The root, in float64.</param>
internal sealed unsafe class MixtureRowMap<T>(ElementwiseCode code, ElementwiseCode search) : RowMap<T>(code, RowWeight.None)
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    // y, parameters, root and residual as numbers of float64, and the root in the dtype of the flow
    public override long Scratch(long elements) => (RowScratch.Size<double>(elements) * (Parameters + 3)) + RowScratch.Size<T>(elements);

    public override int Whole(int elements) => Whole<double>(elements);

    public override void Run(in RowElements<T> elements, in RowBlock block, bool inverse, float* scratch)
    {
        if (inverse) Search(elements, block, scratch);
        else base.Run(elements, block, false, scratch);
    }

    public override void RunWhole(in RowElements<T> elements, in RowBlock block, bool inverse, float* scratch) =>
        Run(elements, block, inverse, scratch);

    private void Search(in RowElements<T> elements, in RowBlock block, float* scratch)
    {
        var (columns, count) = (elements.Columns, (long)elements.Rows * elements.Columns);
        var memory = new RowScratch(scratch);
        double* y = memory.Take<double>(count), wide = memory.Take<double>(count * Parameters), root = memory.Take<double>(count),
            residual = memory.Take<double>(count);
        var roots = memory.Take<T>(count);
        for (long i = 0; i < count; i++) y[i] = double.CreateTruncating(elements.Input[i]);
        for (long row = 0; row < elements.Rows; row++)
            for (long i = 0; i < Parameters * columns; i++)
                wide[(row * Parameters * columns) + i] = double.CreateTruncating(elements.Raw[(row * elements.RawRow) + i]);
        var streams = stackalloc Stream<double>[4];
        streams[0] = new((nint)y, columns, 1, false);
        streams[1] = new((nint)wide, Parameters * columns, Parameters, false) { Block = columns };
        streams[2] = new((nint)root, columns, 1, true);
        streams[3] = new((nint)residual, columns, 1, true);
        search.Run(new ElementJob<double> { Streams = streams, Count = 4, Inner = columns, Runs = 1, End = elements.Rows });
        // where the search found nothing the result says so
        for (long i = 0; i < count; i++) roots[i] = residual[i] <= MixtureLimits.MaxResidual ? T.CreateTruncating(root[i]) : T.NaN;
        var found = elements;
        found.Input = roots;
        base.Run(found, block, true, scratch);
    }
}

/// <summary>The roots of mixtures, in float64.</summary>
/// <param name="components">The number of components.</param>
internal sealed class MixtureRootCode(int components) : ElementwiseCode
{
    public override int Parameters => MixtureLimits.Parameters(components);

    public override double Cost => 2400 * components;

    protected override void Run<TLanes, T>(in ElementJob<T> job)
    {
        if (typeof(T) != typeof(double)) throw new NotSupportedException("Roots are searched in float64.");
        job.Run<TLanes, MixtureRoot<TLanes, T>>(new(components));
    }
}
