namespace RealNvp.Kernels;

/// <summary>A whole flow on rows: steps from data to latents, the density of the latents, and what makes features of contexts.</summary>
/// <remarks>
/// It knows neither files nor tensors: weights are where its steps have been told, or where a call says. It is never changed, each thread
/// brings its own memory, and a row's result does not depend on the rows beside it: so any number of threads may use it without a lock.
/// </remarks>
internal sealed unsafe class RowPlan
{
    private readonly RowStep[] steps;
    private readonly RowDensity? density;
    private readonly RowStep? encoder;
    private readonly long scratch;

    /// <param name="features">The numbers of a row.</param>
    /// <param name="context">The numbers of a context; 0 for none.</param>
    /// <param name="encoder">What standardizes contexts, or null.</param>
    /// <param name="steps">From data to latents.</param>
    /// <param name="density">The density of the latents; null for a plan of the map alone.</param>
    public RowPlan(int features, int context, RowStep? encoder, RowStep[] steps, RowDensity? density)
    {
        (Features, Context, this.encoder, this.steps, this.density) = (features, context, encoder, steps, density);
        foreach (var step in steps) scratch = Math.Max(scratch, step.Scratch);
        scratch = Math.Max(scratch, Math.Max(density?.Scratch ?? 0, encoder?.Scratch ?? 0));
    }

    public int Features { get; }

    public int Context { get; }

    /// <summary>How many of the first steps meet data in their own dtype: those up to the one that converts them.</summary>
    public int Converting { get; init; }

    /// <summary>Where the numbers of a latent are after the last step; null if they are in their order.</summary>
    public int[]? Order { get; init; }

    /// <summary>Whether it knows the density.</summary>
    public bool HasDensity => density is not null;

    /// <summary>Maps rows.</summary>
    /// <param name="x">(rows, features).</param>
    /// <param name="context">(rows, context); null if there is none.</param>
    /// <param name="rows">How many.</param>
    /// <param name="inverse">Latents to data in place of data to latents.</param>
    /// <param name="value">Gets (rows, features); may be <paramref name="x"/>.</param>
    /// <param name="logDet">Gets the log-determinants; null if they are not wanted.</param>
    public void Map(float* x, float* context, int rows, bool inverse, float* value, float* logDet) =>
        Map(new RowCall { X = x, Context = context, Rows = rows }, inverse, value, logDet);

    /// <summary>As for float32, for any call.</summary>
    public void Map(in RowCall call, bool inverse, RowMemory value, RowMemory logDet)
    {
        double* sums = stackalloc double[RowBlock.Most];
        for (var row = 0; row < call.Rows; row += RowBlock.Most)
        {
            var block = Begin(call, row, sums, inverse);
            if (inverse) Bring(block, back: true);
            Run(block, inverse);
            if (!inverse) Bring(block, back: false);
            value.Write(block.X, block.Rows * Features, (nint)row * Features);
            if (!logDet.IsNull) logDet.Write(sums, block.Rows, row);
        }
    }

    /// <summary>The log-density of rows, in nats.</summary>
    /// <param name="x">(rows, features).</param>
    /// <param name="context">(rows, context); null if there is none.</param>
    /// <param name="rows">How many.</param>
    /// <param name="logProb">Gets one number a row.</param>
    public void LogProb(float* x, float* context, int rows, float* logProb) =>
        LogProb(new RowCall { X = x, Context = context, Rows = rows }, logProb);

    /// <summary>As for float32, for any call.</summary>
    public void LogProb(in RowCall call, RowMemory logProb)
    {
        double* sums = stackalloc double[RowBlock.Most];
        for (var row = 0; row < call.Rows; row += RowBlock.Most)
        {
            var block = Begin(call, row, sums, inverse: false);
            Run(block, inverse: false);
            Bring(block, back: false);
            density!.LogProb(block);
            for (var i = 0; i < block.Rows; i++) sums[i] = block.Rounded(sums[i]);
            logProb.Write(sums, block.Rows, row);
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
        RowMemory to = x;
        for (var row = 0; row < rows; row += RowBlock.Most)
        {
            var block = Begin(new RowCall { Context = context, Rows = rows }, row, sums, inverse: true);
            density!.Sample(block, ref random);
            Bring(block, back: true);
            Run(block, inverse: true);
            to.Write(block.X, block.Rows * Features, (nint)row * Features);
        }
    }

    private RowBlock Begin(in RowCall call, int row, double* sums, bool inverse)
    {
        var rows = Math.Min(RowBlock.Most, call.Rows - row);
        long own = RowScratch.Size<double>((long)RowBlock.Most * Features), given = RowScratch.Size<double>((long)RowBlock.Most * Context);
        var memory = new RowScratch(KernelScratch.Held(own + given + scratch));
        new Span<double>(sums, rows).Clear();
        var block = new RowBlock { Rows = rows, Features = Features, X = memory.Take<double>((long)RowBlock.Most * Features),
            LogDet = sums, Weights = call.Weights, Single = !call.Double, Wide = call.Wide || call.Double };
        var context = memory.Take<double>((long)RowBlock.Most * Context);
        block.Scratch = memory.Take(0);
        // data have digits of their own up to the step that converts them
        var digits = call.Wide && Converting > 0 && !inverse;
        if (!call.X.IsNull) call.X.Read((nint)row * Features, rows * Features, block.X, block.Single && !digits);
        if (Context == 0) return block;
        var encoding = call.IsEncoded ? null : encoder;
        block.Context = context;
        block.ContextStride = Context;
        call.Context.Read((nint)row * Context, rows * Context, context, block.Single && encoding is null);
        if (encoding is null) return block;
        // in the wider dtype of contexts and weights
        encoding.Run(block with { X = context, Features = Context, Wide = call.Context.IsDouble || call.Double }, inverse: false);
        // a context that is no number any more makes no result that looks like one
        RowMemory features = context;
        new Span<double>(sums, rows).Fill(features.AreFinite((long)rows * Context) ? 0 : double.NaN);
        return block;
    }

    private void Run(in RowBlock block, bool inverse)
    {
        // before they meet the step that converts them, data have their own digits, of which the steps behind it see none
        var data = block with { Single = block.Single && !block.Wide };
        var converted = block with { Wide = !block.Single };
        if (inverse)
            for (var i = steps.Length - 1; i >= 0; i--) steps[i].Run(i < Converting ? data : converted, true);
        else
            for (var i = 0; i < steps.Length; i++)
            {
                steps[i].Run(i < Converting ? data : converted, false);
                if (i == Converting - 1 && block.Single)
                    for (var j = 0; j < block.Rows * Features; j++) block.X[j] = (float)block.X[j];
            }
    }

    // the numbers of latents in their order, or back where the last step has them
    private void Bring(in RowBlock block, bool back)
    {
        if (Order is null) return;
        double* row = stackalloc double[Features];
        var x = block.X;
        for (var i = 0; i < block.Rows; i++, x += Features)
        {
            new ReadOnlySpan<double>(x, Features).CopyTo(new Span<double>(row, Features));
            if (back)
                for (var j = 0; j < Features; j++) x[Order[j]] = row[j];
            else
                for (var j = 0; j < Features; j++) x[j] = row[Order[j]];
        }
    }
}
