using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Distances of two samples, and what they are after permutations of the labels.</summary>
internal static class SampleDistances
{
    private const int ForMedian = 500, Directions = 100, PermutationsAtOnce = 512;

    /// <summary>MMD² with the mean of three Gaussian kernels, half, once and twice as wide as the median distance of two rows
    /// (Gretton et al., JMLR 13, 2012).</summary>
    public static TwoSampleResult Mmd(TwoSamples samples, int permutations, double level, long seed)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var rows = tensor(samples.Values, [samples.Count, samples.Features], device: CPU);
        var norms = rows.pow(Scalars.Two).sum([1], true);
        var distances = norms.add(norms.t(), Scalars.One).sub(rows.mm(rows.t()).mul(Scalars.Two)).clamp_min(Scalars.Zero);
        var median = Median(distances, samples.Count);
        var kernel = zeros_like(distances);
        foreach (var width in new[] { 0.25, 1, 4 })
        {
            using Scalar factor = Scalars.New(-0.5 / (width * median));
            kernel = kernel.add(distances.mul(factor).exp(), Scalars.One);
        }
        var random = Seeds.Random(seed, -5);
        // some permutations at a time, the samples as they are first
        var values = new List<double>(permutations + 1);
        var one = new double[samples.Count];
        while (values.Count <= permutations)
        {
            using var step = NewDisposeScope();
            var some = Math.Min(PermutationsAtOnce, permutations + 1 - values.Count);
            var signs = new double[some * samples.Count];
            for (var at = 0; at < signs.Length; at += samples.Count)
            {
                samples.Relabel(one, values.Count + at == 0 ? null : random);
                one.CopyTo(signs, at);
            }
            var labels = tensor(signs, [some, samples.Count], device: CPU);
            // what is left of equal samples is rounding
            values.AddRange(labels.mm(kernel).mul(labels).sum([1]).mul(Scalars.Of(1.0 / 3)).FetchDoubles()
                .Select(v => Math.Abs(v) < 1e-14 ? 0 : v));
        }
        return samples.Result(TwoSampleKind.Mmd, values[0], [.. values.Skip(1)], level);
    }

    /// <summary>The mean of W₁ over random directions (Bonneel et al. 2015), in standard deviations.</summary>
    public static TwoSampleResult SlicedWasserstein(TwoSamples samples, int permutations, double level, long seed)
    {
        var (random, count) = (Seeds.Random(seed, -6), samples.Count);
        var signs = new double[permutations + 1][];
        for (var b = 0; b <= permutations; b++)
        {
            signs[b] = new double[count];
            samples.Relabel(signs[b], b == 0 ? null : random);
        }
        var (values, direction, projected, order) = (new double[permutations + 1], new double[samples.Features], new double[count],
            new int[count]);
        for (var d = 0; d < Directions; d++)
        {
            Seeds.Normal(random, direction);
            var length = Math.Sqrt(direction.Sum(v => v * v));
            for (var i = 0; i < count; i++)
            {
                var sum = 0.0;
                for (var f = 0; f < direction.Length; f++) sum += direction[f] * samples.Values[(i * direction.Length) + f];
                (projected[i], order[i]) = (sum / length, i);
            }
            Array.Sort(projected, order);
            for (var k = 0; k < count - 1; k++) projected[k] = projected[k + 1] - projected[k];
            // W₁ is the area between the two distribution functions
            for (var b = 0; b <= permutations; b++)
            {
                var (between, area, labels) = (0.0, 0.0, signs[b]);
                for (var k = 0; k < count - 1; k++) area += Math.Abs(between += labels[order[k]]) * projected[k];
                values[b] += area / Directions;
            }
        }
        return samples.Result(TwoSampleKind.SlicedWasserstein, values[0], values[1..], level);
    }

    // of the squared distances of some rows, which are spread over both samples
    private static double Median(Tensor distances, int count)
    {
        var step = Math.Max(1, count / ForMedian);
        var at = Scalars.Range((count + step - 1) / step, CPU);
        using var scope = NewDisposeScope();
        var some = distances.index_select(0, at.mul(Scalars.Integer(step))).index_select(1, at.mul(Scalars.Integer(step))).FetchDoubles();
        at.Dispose();
        var positive = some.Where(d => d > 1e-12).Order().ToArray();
        return positive.Length == 0 ? 1 : positive[positive.Length / 2];
    }
}
