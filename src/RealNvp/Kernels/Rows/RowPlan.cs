namespace RealNvp.Kernels;

/// <summary>A whole flow on rows: steps from data to latents, the density of the latents, and what makes features of contexts.</summary>
/// <remarks>
/// It knows neither files nor tensors: weights are where its steps have been told. It is never changed, each thread brings its own
/// memory, and a row's result does not depend on the rows beside it: so any number of threads may use it without a lock.
/// </remarks>
internal sealed unsafe class RowPlan
{
    private readonly RowStep[] steps;
    private readonly RowDensity density;
    private readonly ScaleRows? encoder;
    private readonly long scratch;

    /// <param name="features">The numbers of a row.</param>
    /// <param name="context">The numbers of a context; 0 for none.</param>
    /// <param name="encoder">What standardizes contexts, or null.</param>
    /// <param name="steps">From data to latents.</param>
    /// <param name="density">The density of the latents.</param>
    public RowPlan(int features, int context, ScaleRows? encoder, RowStep[] steps, RowDensity density)
    {
        (Features, Context, this.encoder, this.steps, this.density) = (features, context, encoder, steps, density);
        foreach (var step in steps) scratch = Math.Max(scratch, step.Scratch);
        scratch = Math.Max(scratch, density.Scratch);
    }

    public int Features { get; }

    public int Context { get; }

    /// <summary>Maps rows.</summary>
    /// <param name="x">(rows, features).</param>
    /// <param name="context">(rows, context); null if there is none.</param>
    /// <param name="rows">How many.</param>
    /// <param name="inverse">Latents to data in place of data to latents.</param>
    /// <param name="value">Gets (rows, features); may be <paramref name="x"/>.</param>
    /// <param name="logDet">Gets the log-determinants; null if they are not wanted.</param>
    public void Map(float* x, float* context, int rows, bool inverse, float* value, float* logDet)
    {
        double* sums = stackalloc double[RowBlock.Most];
        for (var row = 0; row < rows; row += RowBlock.Most)
        {
            var block = Begin(x, context, row, Math.Min(RowBlock.Most, rows - row), sums);
            Run(block, inverse);
            DenseBlock.Copy(block.X, Features, value + ((nint)row * Features), Features, block.Rows, Features);
            for (var i = 0; i < block.Rows && logDet != null; i++) logDet[row + i] = (float)sums[i];
        }
    }

    /// <summary>The log-density of rows, in nats.</summary>
    /// <param name="x">(rows, features).</param>
    /// <param name="context">(rows, context); null if there is none.</param>
    /// <param name="rows">How many.</param>
    /// <param name="logProb">Gets one number a row.</param>
    public void LogProb(float* x, float* context, int rows, float* logProb)
    {
        double* sums = stackalloc double[RowBlock.Most];
        for (var row = 0; row < rows; row += RowBlock.Most)
        {
            var block = Begin(x, context, row, Math.Min(RowBlock.Most, rows - row), sums);
            Run(block, inverse: false);
            density.LogProb(block);
            for (var i = 0; i < block.Rows; i++) logProb[row + i] = (float)sums[i];
        }
    }

    /// <summary>Draws rows.</summary>
    /// <param name="random">Gives the noise.</param>
    /// <param name="context">(rows, context); null if there is none.</param>
    /// <param name="rows">How many.</param>
    /// <param name="x">Gets (rows, features).</param>
    public void Sample(ref RowRandom random, float* context, int rows, float* x)
    {
        double* sums = stackalloc double[RowBlock.Most];
        for (var row = 0; row < rows; row += RowBlock.Most)
        {
            var block = Begin(null, context, row, Math.Min(RowBlock.Most, rows - row), sums);
            density.Sample(block, ref random);
            Run(block, inverse: true);
            DenseBlock.Copy(block.X, Features, x + ((nint)row * Features), Features, block.Rows, Features);
        }
    }

    private RowBlock Begin(float* x, float* context, int row, int rows, double* sums)
    {
        long own = RowScratch.Size((long)RowBlock.Most * Features), given = RowScratch.Size((long)RowBlock.Most * Context);
        var memory = KernelScratch.Held(own + given + scratch);
        new Span<double>(sums, rows).Clear();
        var block = new RowBlock { Rows = rows, Features = Features, X = memory, LogDet = sums, Scratch = memory + own + given };
        if (x != null) DenseBlock.Copy(x + ((nint)row * Features), Features, memory, Features, rows, Features);
        if (Context == 0) return block;
        block.Context = memory + own;
        block.ContextStride = Context;
        DenseBlock.Copy(context + ((nint)row * Context), Context, block.Context, Context, rows, Context);
        if (encoder is null) return block;
        encoder.Run(block with { X = block.Context, Features = Context }, inverse: false);
        new Span<double>(sums, rows).Clear();
        return block;
    }

    private void Run(in RowBlock block, bool inverse)
    {
        if (inverse)
            for (var i = steps.Length - 1; i >= 0; i--) steps[i].Run(block, true);
        else
            foreach (var step in steps) step.Run(block, false);
    }
}
