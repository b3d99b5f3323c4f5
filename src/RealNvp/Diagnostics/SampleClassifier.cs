using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// The classifier of C2ST: logistic regression with a penalty, on the numbers of a row, their products, and random cosines of them.
/// </summary>
/// <remarks>
/// Products show means, widths and correlations; cosines (random features of a Gaussian kernel, Rahimi and Recht 2007) show any other
/// difference. The fit has one optimum, which Newton's method finds in some steps: no learning rate, no stopping, the same for the same
/// seed, and in milliseconds, where a network is noisy and slow on so few rows.
/// </remarks>
internal sealed class SampleClassifier
{
    private const int Cosines = 100, MaxForProducts = 24, Steps = 8;
    private const double Penalty = 0.1, Limit = 5;

    private readonly TwoSamples samples;
    private readonly double[] directions, phases;
    private readonly (int, int)[] products;

    private SampleClassifier(TwoSamples samples, Random random)
    {
        this.samples = samples;
        directions = new double[Cosines * samples.Features];
        Seeds.Normal(random, directions);
        phases = [.. Enumerable.Range(0, Cosines).Select(_ => 2 * Math.PI * random.NextDouble())];
        products = [.. Enumerable.Range(0, samples.Features).SelectMany(i => Enumerable.Range(i, samples.Features - i)
            .Where(j => i == j || samples.Features <= MaxForProducts).Select(j => (i, j)))];
    }

    private int Width => 1 + samples.Features + products.Length + Cosines;

    /// <summary>Trains on one half of the rows, and tests on the other, whose labels alone are permuted.</summary>
    public static TwoSampleResult Test(TwoSamples samples, int permutations, double level, long seed)
    {
        var random = Seeds.Random(seed, -7);
        var classifier = new SampleClassifier(samples, random);
        var (train, test) = Halves(samples, random);
        var weights = classifier.Fit(train);
        var scores = Array.ConvertAll(test, row => classifier.Score(row, weights));
        var (ranks, first) = (Ranks(scores), Array.ConvertAll(test, row => row < samples.CountA));
        var area = Area(ranks, first);
        var permuted = new double[permutations];
        var half = test.Length / 2;
        for (var b = 0; b < permutations; b++)
        {
            if (!samples.IsPaired) random.Shuffle(first);
            else
                for (var i = 0; i < half; i++)
                {
                    first[i] = random.Next(2) == 1;
                    first[half + i] = !first[i];
                }
            permuted[b] = Area(ranks, first);
        }
        double Right(bool ofFirst) => test.Zip(scores).Where(t => t.First < samples.CountA == ofFirst)
            .Average(t => t.Second == 0 ? 0.5 : t.Second > 0 == ofFirst ? 1 : 0);
        return samples.Result(TwoSampleKind.C2st, area, permuted, level) with { Accuracy = (Right(true) + Right(false)) / 2 };
    }

    // in the test half, rows of the first sample come first, and partners are in the same order
    private static (int[] Train, int[] Test) Halves(TwoSamples samples, Random random)
    {
        var one = Enumerable.Range(0, samples.CountA).ToArray();
        random.Shuffle(one);
        var two = samples.IsPaired ? [.. one] : Enumerable.Range(0, samples.CountB).ToArray();
        if (!samples.IsPaired) random.Shuffle(two);
        int[] Of(Range a, Range b) => [.. one[a], .. two[b].Select(i => samples.CountA + i)];
        var (halfA, halfB) = (one.Length / 2, two.Length / 2);
        return (Of(..halfA, ..halfB), Of(halfA.., halfB..));
    }

    private double[] Fit(int[] rows)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var (width, count, inFirst) = (Width, rows.Length, rows.Count(r => r < samples.CountA));
        var features = new double[count * width];
        for (var i = 0; i < count; i++) Features(rows[i], features.AsSpan(i * width, width));
        var all = tensor(features, [count, width], device: CPU);
        var transposed = all.t();
        var (weights, curvature, slope) = (new double[width], new double[count], new double[count]);
        for (var step = 0; step < Steps; step++)
        {
            for (var i = 0; i < count; i++)
            {
                var sum = 0.0;
                for (var f = 0; f < width; f++) sum += weights[f] * features[(i * width) + f];
                var p = 1 / (1 + Math.Exp(-sum));
                // both samples weigh as much
                var (label, share) = rows[i] < samples.CountA ? (1.0, 0.5 / inFirst) : (0.0, 0.5 / (count - inFirst));
                (curvature[i], slope[i]) = (share * p * (1 - p), share * (p - label));
            }
            var matrix = transposed.mm(all.mul(tensor(curvature, [count, 1], device: CPU))).FetchDoubles();
            var right = transposed.mm(tensor(slope, [count, 1], device: CPU)).FetchDoubles();
            for (var f = 0; f < width; f++)
            {
                // the constant is free
                var penalty = f == 0 ? 1e-9 : Penalty;
                matrix[(f * width) + f] += penalty;
                right[f] += penalty * weights[f];
            }
            Cholesky.Solve(matrix, right);
            for (var f = 0; f < width; f++) weights[f] -= right[f];
        }
        return weights;
    }

    private double Score(int row, double[] weights)
    {
        Span<double> features = new double[weights.Length];
        Features(row, features);
        var sum = 0.0;
        for (var f = 0; f < weights.Length; f++) sum += weights[f] * features[f];
        return sum;
    }

    private void Features(int row, Span<double> result)
    {
        var size = samples.Features;
        var values = samples.Values.AsSpan(row * size, size);
        result[0] = 1;
        for (var i = 0; i < size; i++) result[1 + i] = Math.Clamp(values[i], -Limit, Limit);
        var at = 1 + size;
        foreach (var (i, j) in products) result[at++] = (result[1 + i] * result[1 + j] - (i == j ? 1 : 0)) / (i == j ? Math.Sqrt(2) : 1);
        for (var c = 0; c < Cosines; c++)
        {
            var sum = 0.0;
            for (var i = 0; i < size; i++) sum += directions[(c * size) + i] * values[i];
            // half of them see what is coarse, half what is finer
            result[at++] = Math.Sqrt(2) * Math.Cos((sum * (c % 2 == 0 ? 1 : 2) / Math.Sqrt(size)) + phases[c]);
        }
    }

    // equal scores share their ranks
    private static double[] Ranks(double[] scores)
    {
        var (sorted, order, ranks) = ((double[])scores.Clone(), Enumerable.Range(0, scores.Length).ToArray(), new double[scores.Length]);
        Array.Sort(sorted, order);
        for (var start = 0; start < sorted.Length;)
        {
            var end = start + 1;
            while (end < sorted.Length && sorted[end] == sorted[start]) end++;
            for (var k = start; k < end; k++) ranks[order[k]] = (start + end - 1) / 2.0;
            start = end;
        }
        return ranks;
    }

    // the share of pairs in which the row of the first sample has the higher score
    private static double Area(double[] ranks, bool[] first)
    {
        var (sum, count) = (0.0, 0);
        for (var i = 0; i < ranks.Length; i++)
            if (first[i])
            {
                sum += ranks[i];
                count++;
            }
        return (sum - (count * (count - 1) / 2.0)) / ((double)count * (ranks.Length - count));
    }
}
