using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Rows of two samples, those of the first before those of the second, each number in standard deviations of all rows.</summary>
internal sealed class TwoSamples
{
    private TwoSamples(double[] values, int countA, int countB, bool paired)
    {
        (Values, CountA, CountB, IsPaired) = (values, countA, countB, paired);
        Features = values.Length / (countA + countB);
        Columns.Standardize(values, Features);
    }

    /// <summary>Row by row.</summary>
    public double[] Values { get; }

    /// <summary>The rows of the first sample.</summary>
    public int CountA { get; }

    /// <summary>The rows of the second one.</summary>
    public int CountB { get; }

    /// <summary>All rows.</summary>
    public int Count => CountA + CountB;

    /// <summary>The numbers of a row.</summary>
    public int Features { get; }

    /// <summary>Whether row i of the first sample belongs to row i of the second: they are swapped, and stay together.</summary>
    public bool IsPaired { get; }

    /// <summary>Two independent samples; of more rows than <paramref name="most"/> some are chosen.</summary>
    public static TwoSamples Of(Tensor a, Tensor b, int most, long seed, string owner)
    {
        Checked(a, nameof(a), owner);
        Checked(b, nameof(b), owner);
        if (!a.shape.AsSpan(1).SequenceEqual(b.shape.AsSpan(1)))
            throw new ArgumentException(
                $"{owner} expects two samples of rows of one shape; got {EventShape.Format(a.shape)} and {EventShape.Format(b.shape)}.",
                nameof(b));
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var random = Seeds.Random(seed, -4);
        var (one, two) = (Some(a.reshape(a.shape[0], -1).FetchDoubles(), (int)a.shape[0], most, random),
            Some(b.reshape(b.shape[0], -1).FetchDoubles(), (int)b.shape[0], most, random));
        return new([.. one, .. two], (int)Math.Min(most, a.shape[0]), (int)Math.Min(most, b.shape[0]), false);
    }

    /// <summary>True values and one draw for each under the same context, the context beside both.</summary>
    public static TwoSamples Of(ConditionalDensity density, Tensor theta, Tensor? context, int most, double level, long seed, string owner,
        CancellationToken token)
    {
        var run = Calibration.Of(density, theta, context, 1, level, seed, owner, nameof(theta));
        var rows = checked((int)theta.shape[0]);
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var known = context is null ? [] : context.detach().reshape(rows, -1).FetchDoubles();
        var (size, each) = (known.Length / rows, (int)run.Features);
        var width = each + size;
        var (truth, draws) = (new double[rows * width], new double[rows * width]);
        run.Each(rows, false, part =>
        {
            var numbers = part.Flat.FetchDoubles();
            for (var row = 0; row < part.Flat.shape[0]; row++)
            {
                var at = (part.Start + row) * width;
                numbers.AsSpan(2 * row * each, each).CopyTo(truth.AsSpan(at));
                numbers.AsSpan(((2 * row) + 1) * each, each).CopyTo(draws.AsSpan(at));
                known.AsSpan((part.Start + row) * size, size).CopyTo(truth.AsSpan(at + each));
                known.AsSpan((part.Start + row) * size, size).CopyTo(draws.AsSpan(at + each));
            }
        }, null, token);
        // the same rows of both
        var kept = Math.Min(most, rows);
        return new([.. Some(truth, rows, most, Seeds.Random(seed, -4)), .. Some(draws, rows, most, Seeds.Random(seed, -4))], kept, kept,
            true);
    }

    /// <summary>Exchanges labels at random: +1/|A| for a row that counts as one of the first sample, −1/|B| for one of the
    /// second.</summary>
    public void Relabel(double[] signs, Random? random)
    {
        var (one, two) = (1.0 / CountA, -1.0 / CountB);
        for (var i = 0; i < Count; i++) signs[i] = i < CountA ? one : two;
        if (random is null) return;
        if (!IsPaired) random.Shuffle(signs);
        else
            for (var i = 0; i < CountA; i++)
                if (random.Next(2) == 1) (signs[i], signs[CountA + i]) = (two, one);
    }

    /// <summary>The result of a statistic that grows with the distance, after its values under permutations.</summary>
    public TwoSampleResult Result(TwoSampleKind kind, double statistic, double[] permuted, double level)
    {
        // equal values, whose rounding differs, are as far
        var asFar = permuted.Count(p => p >= statistic - (1e-9 * Math.Abs(statistic)));
        return new()
        {
            Kind = kind, Statistic = statistic, Null = permuted, PValue = (1.0 + asFar) / (1 + permuted.Length), Level = level,
            CountA = CountA, CountB = CountB, Features = Features, IsPaired = IsPaired,
        };
    }

    private static void Checked(Tensor sample, string parameter, string owner)
    {
        Check.Batch(sample, parameter, owner, null);
        Check.NotMeta(sample, parameter);
        if (sample.is_complex()) throw new ArgumentException($"{owner} expects real numbers; {parameter} has {sample.dtype}.", parameter);
        if (sample.shape[0] < 4 || sample.numel() == 0)
            throw new ArgumentException(
                $"{owner} needs at least 4 rows of each sample; {parameter} has shape {EventShape.Format(sample.shape)}.", parameter);
        if (sample.is_floating_point()) Check.Finite(sample, parameter, owner);
    }

    private static double[] Some(double[] values, int rows, int most, Random random)
    {
        if (rows <= most) return values;
        var (width, order) = (values.Length / rows, Enumerable.Range(0, rows).ToArray());
        random.Shuffle(order);
        return [.. order.Take(most).SelectMany(r => values.AsSpan(r * width, width).ToArray())];
    }
}
