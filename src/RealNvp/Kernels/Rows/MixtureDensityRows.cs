namespace RealNvp.Kernels;

/// <summary>K normals with means and scales of each feature; one of them is the diagonal normal. A network adds to all of these numbers
/// if there is a context.</summary>
internal sealed unsafe class MixtureDensityRows : RowDensity
{
    private const double MaxLogScale = AffineForm.MaxLogScale;
    private readonly int components, features;
    private readonly double[] logits, means, logScales;
    private readonly RowNetwork? network;
    private readonly bool hasWeights;

    // of the numbers without a context: log w − Σ s − D/2·log 2π, and exp(−s)
    private readonly double[]? constants, reciprocals;

    /// <param name="logits">K numbers; null in place of zeros, and for one normal.</param>
    /// <param name="means">(K, D).</param>
    /// <param name="logScales">(K, D).</param>
    /// <param name="network">Adds to the three, one after the other, from the context; null without one.</param>
    public MixtureDensityRows(double[]? logits, double[] means, double[] logScales, RowNetwork? network)
    {
        hasWeights = logits is not null;
        (this.logits, this.means, this.logScales, this.network) = (logits ?? [0], means, logScales, network);
        (components, features) = (this.logits.Length, means.Length / this.logits.Length);
        if (network is not null) return;
        (constants, reciprocals) = (new double[components], new double[means.Length]);
        var all = LogSum(this.logits);
        for (var k = 0; k < components; k++)
        {
            constants[k] = this.logits[k] - all - (features * HalfLogTwoPi);
            for (var i = k * features; i < (k + 1) * features; i++)
            {
                var s = Math.Clamp(logScales[i], -MaxLogScale, MaxLogScale);
                constants[k] -= s;
                reciprocals[i] = Math.Exp(-s);
            }
        }
    }

    private int Numbers => (hasWeights ? components : 0) + (2 * means.Length);

    // numbers of float64 take two places
    public override long Scratch => (2 * RowScratch.Size(components + Numbers)) + (network is null ? 0 : network.Scratch
        + RowScratch.Size((long)RowBlock.Most * network.InputStride) + RowScratch.Size((long)RowBlock.Most * network.OutputStride));

    public override void LogProb(in RowBlock block)
    {
        var scratch = new RowScratch(block.Scratch);
        double* terms = (double*)scratch.Take(2L * components), own = (double*)scratch.Take(2L * Numbers);
        var given = Given(block, ref scratch);
        for (var row = 0; row < block.Rows; row++)
        {
            var z = block.X + ((nint)row * block.Features);
            if (given != null) Fill(given + ((nint)row * network!.OutputStride), own);
            for (var k = 0; k < components; k++) terms[k] = given == null ? Known(z, k) : Conditional(z, k, own);
            block.LogDet[row] += components == 1 ? terms[0] : LogSum(new ReadOnlySpan<double>(terms, components));
        }
    }

    public override void Sample(in RowBlock block, ref RowRandom random)
    {
        var scratch = new RowScratch(block.Scratch);
        scratch.Take(2L * components);
        var own = (double*)scratch.Take(2L * Numbers);
        var given = Given(block, ref scratch);
        for (var row = 0; row < block.Rows; row++)
        {
            if (given != null) Fill(given + ((nint)row * network!.OutputStride), own);
            // Gumbel's trick picks a part by its weight
            var (best, most) = (0, double.NegativeInfinity);
            for (var k = 0; k < components && components > 1; k++)
            {
                var score = (given == null ? logits[k] : own[k]) - Math.Log(-Math.Log(random.Uniform()));
                if (score > most) (best, most) = (k, score);
            }
            for (var i = 0; i < features; i++)
            {
                var at = (best * features) + i;
                var mean = given == null ? means[at] : Means(own)[at];
                var s = Math.Clamp(given == null ? logScales[at] : LogScales(own)[at], -MaxLogScale, MaxLogScale);
                block.X[((nint)row * block.Features) + i] = (float)(mean + (Math.Exp(s) * random.Normal()));
            }
        }
    }

    private double Known(float* z, int k)
    {
        var sum = constants![k];
        for (var i = 0; i < features; i++)
        {
            var u = (z[i] - means[(k * features) + i]) * reciprocals![(k * features) + i];
            sum -= 0.5 * u * u;
        }
        return sum;
    }

    private double Conditional(float* z, int k, double* own)
    {
        var sum = (hasWeights ? own[k] - LogSum(new ReadOnlySpan<double>(own, components)) : 0) - (features * HalfLogTwoPi);
        for (var i = k * features; i < (k + 1) * features; i++)
        {
            var s = Math.Clamp(LogScales(own)[i], -MaxLogScale, MaxLogScale);
            var u = (z[i - (k * features)] - Means(own)[i]) * Math.Exp(-s);
            sum -= (0.5 * u * u) + s;
        }
        return sum;
    }

    private double* Means(double* own) => own + (hasWeights ? components : 0);

    private double* LogScales(double* own) => Means(own) + means.Length;

    private void Fill(float* added, double* own)
    {
        for (var k = 0; k < components && hasWeights; k++) own[k] = logits[k] + added[k];
        var from = added + (hasWeights ? components : 0);
        for (var i = 0; i < means.Length; i++)
            (Means(own)[i], LogScales(own)[i]) = (means[i] + from[i], logScales[i] + from[means.Length + i]);
    }

    // what the network gives for each row; null without a context
    private float* Given(in RowBlock block, ref RowScratch scratch)
    {
        if (network is null) return null;
        var input = scratch.Take((long)RowBlock.Most * network.InputStride);
        var output = scratch.Take((long)RowBlock.Most * network.OutputStride);
        DenseBlock.Copy(block.Context, block.ContextStride, input, network.InputStride, block.Rows, network.Program.Inputs);
        network.Run(input, block, scratch.Take(network.Scratch), output);
        return output;
    }

    private static double LogSum(ReadOnlySpan<double> values)
    {
        var most = double.NegativeInfinity;
        foreach (var value in values) most = value > most || double.IsNaN(value) ? value : most;
        if (!double.IsFinite(most)) return most;
        var sum = 0.0;
        foreach (var value in values) sum += Math.Exp(value - most);
        return most + Math.Log(sum);
    }
}
