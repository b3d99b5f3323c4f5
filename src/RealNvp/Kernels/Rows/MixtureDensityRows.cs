using System.Numerics;

namespace RealNvp.Kernels;

/// <summary>K normals with means and scales of each feature; one of them is the diagonal normal. A network adds to all of these numbers
/// if there is a context.</summary>
internal sealed unsafe class MixtureDensityRows<T> : RowDensity where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private const double MaxLogScale = AffineForm.MaxLogScale;
    private readonly int components, features;
    private readonly RowNumbers? logits;
    private readonly RowNumbers means, logScales;
    private readonly RowNetwork<T>? network;

    // numbers that never change, as Finish leaves them, and the terms behind them; null if one of them may
    private readonly double[]? known;

    /// <param name="logits">K numbers; null for one normal.</param>
    /// <param name="means">(K, D).</param>
    /// <param name="logScales">(K, D).</param>
    /// <param name="network">Adds to the three, one after the other, from the context; null without one.</param>
    public MixtureDensityRows(RowNumbers? logits, RowNumbers means, RowNumbers logScales, RowNetwork<T>? network)
    {
        (this.logits, this.means, this.logScales, this.network) = (logits, means, logScales, network);
        components = logits?.Count ?? 1;
        features = means.Count / components;
        if (network is not null || logits is not (null or FixedNumbers) || means is not FixedNumbers || logScales is not FixedNumbers)
            return;
        known = new double[Numbers + components];
        fixed (double* numbers = known)
        {
            Read(default, numbers);
            Finish(numbers, numbers + Numbers);
        }
    }

    // logits, means, log-scales
    private int Numbers => (logits?.Count ?? 0) + (2 * means.Count);

    public override long Scratch => (2 * RowScratch.Size<double>(components)) + (2 * RowScratch.Size<double>(Numbers))
        + (network is null ? 0 : network.Scratch + RowScratch.Size<T>((long)RowBlock.Most * network.InputStride)
            + RowScratch.Size<T>((long)RowBlock.Most * network.OutputStride));

    public override void LogProb(in RowBlock block)
    {
        var scratch = new RowScratch(block.Scratch);
        double* sums = scratch.Take<double>(components), terms = scratch.Take<double>(components);
        fixed (double* held = known)
        {
            double* all = null, own = held;
            T* given = null;
            if (held != null) terms = held + Numbers;
            else
            {
                given = Begin(block, ref scratch, out all, out own);
                if (given == null) Finish(own, terms);
            }
            for (var row = 0; row < block.Rows; row++)
            {
                if (given != null)
                {
                    Fill(all, given + ((nint)row * network!.OutputStride), own);
                    Finish(own, terms);
                }
                var z = block.X + ((nint)row * block.Features);
                for (var k = 0; k < components; k++)
                {
                    var sum = terms[k];
                    double* mean = Means(own) + (k * features), scale = LogScales(own) + (k * features);
                    for (var i = 0; i < features; i++)
                    {
                        var u = (z[i] - mean[i]) * scale[i];
                        sum -= 0.5 * u * u;
                    }
                    sums[k] = sum;
                }
                block.LogDet[row] += components == 1 ? sums[0] : LogSum(sums, components);
            }
        }
    }

    public override void Sample(in RowBlock block, ref RowRandom random)
    {
        var scratch = new RowScratch(block.Scratch);
        var given = Begin(block, ref scratch, out var all, out var own);
        for (var row = 0; row < block.Rows; row++)
        {
            if (given != null) Fill(all, given + ((nint)row * network!.OutputStride), own);
            // Gumbel's trick picks a part by its weight
            var (best, most) = (0, double.NegativeInfinity);
            for (var k = 0; k < components && components > 1; k++)
            {
                var score = own[k] - Math.Log(-Math.Log(random.Uniform()));
                if (score > most) (best, most) = (k, score);
            }
            for (var i = 0; i < features; i++)
            {
                var at = (best * features) + i;
                var s = Math.Clamp(LogScales(own)[at], -MaxLogScale, MaxLogScale);
                block.X[((nint)row * block.Features) + i] = block.Rounded(Means(own)[at] + (Math.Exp(s) * random.Normal()));
            }
        }
    }

    private void Read(in RowBlock block, double* to)
    {
        logits?.Read(block, to);
        means.Read(block, Means(to));
        logScales.Read(block, LogScales(to));
    }

    private double* Means(double* numbers) => numbers + (logits?.Count ?? 0);

    private double* LogScales(double* numbers) => Means(numbers) + means.Count;

    // the numbers without a context, twice, and what the network gives for each row; null without one
    private T* Begin(in RowBlock block, ref RowScratch scratch, out double* all, out double* own)
    {
        all = scratch.Take<double>(Numbers);
        own = scratch.Take<double>(Numbers);
        Read(block, all);
        new ReadOnlySpan<double>(all, Numbers).CopyTo(new Span<double>(own, Numbers));
        if (network is null) return null;
        var input = scratch.Take<T>((long)RowBlock.Most * network.InputStride);
        var output = scratch.Take<T>((long)RowBlock.Most * network.OutputStride);
        RowColumns.Copy(block.Context, block.ContextStride, input, network.InputStride, block.Rows, network.Program.Inputs);
        network.Run(input, block, scratch.Take(network.Scratch), output);
        return output;
    }

    // log w − Σ s − D/2·log 2π of each part, and exp(−s) in the place of s
    private void Finish(double* numbers, double* terms)
    {
        var weights = logits is null ? 0 : LogSum(numbers, components);
        for (var k = 0; k < components; k++)
        {
            terms[k] = (logits is null ? 0 : numbers[k] - weights) - (features * HalfLogTwoPi);
            var scale = LogScales(numbers) + (k * features);
            for (var i = 0; i < features; i++)
            {
                var s = Math.Clamp(scale[i], -MaxLogScale, MaxLogScale);
                terms[k] -= s;
                scale[i] = Math.Exp(-s);
            }
        }
    }

    private void Fill(double* all, T* added, double* own)
    {
        for (var i = 0; i < Numbers; i++) own[i] = all[i] + double.CreateTruncating(added[i]);
    }

    private static double LogSum(double* from, int count)
    {
        var values = new ReadOnlySpan<double>(from, count);
        var most = double.NegativeInfinity;
        foreach (var value in values) most = value > most || double.IsNaN(value) ? value : most;
        if (!double.IsFinite(most)) return most;
        var sum = 0.0;
        foreach (var value in values) sum += Math.Exp(value - most);
        return most + Math.Log(sum);
    }
}
