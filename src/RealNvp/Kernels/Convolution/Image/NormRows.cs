namespace RealNvp.Kernels;

/// <summary>
/// relu(a·x + b) for each channel of images that lie channels last, with a = γ/√(σ² + ε) and b = β − a·μ: batch normalization and relu in
/// one, and their gradients.
/// </summary>
internal static unsafe class NormRows
{
    // rows (pixels) that are summed in float32 before float64 takes over: the sums do not depend on the number of threads
    private const int ChunkRows = 256;

    // (μ − k)² / σ² from which on sums of distances from k are taken again: four deviations cost four bits of a sum of squares
    private const double Far = 16;

    // elements that are worth a thread of their own
    private const double Grain = 1 << 16;

    /// <summary>μ and the biased σ² of each channel.</summary>
    public static void Moments(float* x, long rows, int channels, float* mean, float* variance)
    {
        // sums of the distance from about the mean lose nothing if the mean is large beside the spread
        var about = new float[channels];
        ImageRows.FirstMean(x, (int)Math.Min(rows, 64), channels, about);
        // the first rows may be far from all others, such as those of an image with an edge of one colour
        if (Measure(x, rows, channels, about, mean, variance)) return;
        new ReadOnlySpan<float>(mean, channels).CopyTo(about);
        Measure(x, rows, channels, about, mean, variance);
    }

    // the moments, by the distances from some numbers; whether these are near enough to the means
    private static bool Measure(float* x, long rows, int channels, float[] about, float* mean, float* variance)
    {
        var sums = ImageRows.Sum(rows, channels, ChunkRows, (start, count, into) => ImageRows.AddSquares(x + (start * channels), count,
            channels, about, into));
        var near = true;
        for (var c = 0; c < channels; c++)
        {
            var off = sums[c] / rows;
            var spread = (sums[channels + c] / rows) - (off * off);
            mean[c] = (float)(about[c] + off);
            variance[c] = (float)Math.Max(0, spread);
            near &= !(off * off > Far * spread);
        }
        return near;
    }

    /// <summary>All a, then all b; a = 1 and b = 0 if there is no γ: relu alone.</summary>
    public static float[] Line(float* mean, float* variance, float* weight, float* shift, double eps, int channels)
    {
        var line = new float[2 * channels];
        if (weight == null) line.AsSpan(0, channels).Fill(1);
        else
            for (var c = 0; c < channels; c++)
            {
                var a = weight[c] / Math.Sqrt(variance[c] + eps);
                (line[c], line[channels + c]) = ((float)a, (float)(shift[c] - (mean[c] * a)));
            }
        return line;
    }

    /// <summary>y = relu(a·x + b).</summary>
    public static void Run(float* x, float* y, long rows, int channels, float[] line) =>
        KernelThreads.For(rows, (double)rows * channels, Grain, (start, end) =>
            ImageRows.ScaleRelu(x + (start * channels), y + (start * channels), (int)(end - start), channels, line));

    /// <summary>The gradients for μ and σ² of this very batch.</summary>
    /// <param name="x">What was normalized.</param>
    /// <param name="g">The gradient of relu's result.</param>
    /// <param name="dx">Gets the gradient of x; may be <paramref name="g"/>.</param>
    /// <param name="addend">Is added to it; may be <paramref name="dx"/>, and null if there is none.</param>
    /// <param name="rows">The pixels.</param>
    /// <param name="channels">The channels.</param>
    /// <param name="line">Of <see cref="Line"/>.</param>
    /// <param name="mean">μ, or null if there is no normalization, but relu alone.</param>
    /// <param name="variance">σ².</param>
    /// <param name="eps">ε.</param>
    /// <param name="weight">Gets the gradient of γ.</param>
    /// <param name="shift">Gets that of β.</param>
    public static void Backward(float* x, float* g, float* dx, float* addend, long rows, int channels, float[] line, float* mean,
        float* variance, double eps, float* weight, float* shift)
    {
        // dx = a (g − Σg/M − x̂ Σ(g x̂)/M) with x̂ = (x − μ)/√(σ² + ε), as a·g + p·x + q
        var terms = new float[2 * channels];
        if (mean != null)
        {
            var means = new ReadOnlySpan<float>(mean, channels).ToArray();
            var sums = ImageRows.Sum(rows, channels, ChunkRows, (start, count, into) =>
                ImageRows.AddGradients(x + (start * channels), g + (start * channels), count, channels, line, means, into));
            for (var c = 0; c < channels; c++)
            {
                var scale = 1 / Math.Sqrt(variance[c] + eps);
                var along = sums[channels + c] * scale;
                (weight[c], shift[c]) = ((float)along, (float)sums[c]);
                var p = -line[c] * along * scale / rows;
                (terms[c], terms[channels + c]) = ((float)p, (float)((-line[c] * sums[c] / rows) - (p * mean[c])));
            }
        }
        KernelThreads.For(rows, (double)rows * channels, Grain, (start, end) =>
        {
            var at = start * channels;
            ImageRows.InputGradient(x + at, g + at, dx + at, addend == null ? null : addend + at, (int)(end - start), channels, line,
                terms);
        });
    }
}
