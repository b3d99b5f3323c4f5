using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>Which columns make a row odd.</content>
public sealed partial class AnomalyDetector
{
    /// <summary>How odd each column of a row is, given the other columns of that row; the oddest first.</summary>
    /// <remarks>
    /// p(x_i | all others) = p(x) / ∫ p(x with x_i' in place of x_i) dx_i', with the integral by the trapezoidal rule over some 130 values
    /// of the column: exact up to that rule, for any flow. Costs as much as the scores of 130 rows a column. Two columns that
    /// contradict each other are both odd given the other.
    /// </remarks>
    /// <param name="row">As many numbers as there are <see cref="Columns"/>.</param>
    /// <returns>An entry for each column that is not constant, the least tail probability first, then the largest surprise.</returns>
    /// <exception cref="ArgumentException">Another number of values, NaN or infinity.</exception>
    public IReadOnlyList<FeatureSurprise> Explain(ReadOnlySpan<double> row)
    {
        const string owner = $"{nameof(AnomalyDetector)}.{nameof(Explain)}";
        if (row.Length != Columns.Count)
            throw new ArgumentException($"{owner} expects one row of {Columns.Count} numbers; got {row.Length}.", nameof(row));
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        var values = Density(Checked(new DataRows(row, row.Length), owner)).FetchDoubles();
        var gradient = Flow.LogProbGradient(Flow.ToWeights(tensor(values, [1, values.Length], device: CPU)), null).FetchDoubles();
        // all tries of all columns in one batch
        var tries = new List<double>();
        var points = new double[kept.Length][];
        for (var c = 0; c < kept.Length; c++)
        {
            points[c] = [.. grids[c].Append(values[c]).Distinct().Order()];
            foreach (var point in points[c])
                for (var i = 0; i < kept.Length; i++) tries.Add(i == c ? point : values[i]);
        }
        var batch = tensor(tries.ToArray(), [tries.Count / kept.Length, kept.Length], device: CPU);
        var logProb = Flow.LogProb(Flow.ToWeights(batch)).FetchDoubles();
        var result = new List<FeatureSurprise>();
        for (int c = 0, start = 0; c < kept.Length; start += points[c++].Length)
            result.Add(Surprise(c, values[c], points[c], logProb.AsSpan(start, points[c].Length), gradient[c]));
        return [.. result.OrderBy(s => s.TailProbability).ThenByDescending(s => s.Surprise)];
    }

    private FeatureSurprise Surprise(int column, double value, double[] points, ReadOnlySpan<double> logProb, double gradient)
    {
        var (best, own) = (0, Array.IndexOf(points, value));
        for (var i = 1; i < points.Length; i++)
            if (logProb[i] > logProb[best]) best = i;
        var (all, tail) = (0.0, 0.0);
        for (var i = 0; i + 1 < points.Length; i++)
        {
            var (left, right) = (Math.Exp(logProb[i] - logProb[best]), Math.Exp(logProb[i + 1] - logProb[best]));
            var mass = 0.5 * (left + right) * (points[i + 1] - points[i]);
            if (!double.IsFinite(mass)) continue;
            all += mass;
            // a piece counts if its mean is no more likely than the value
            if (0.5 * (left + right) <= Math.Exp(logProb[own] - logProb[best])) tail += mass;
        }
        return new FeatureSurprise
        {
            Column = Columns[kept[column]].Name, Value = value, Expected = points[best],
            Surprise = double.IsNegativeInfinity(logProb[best]) ? double.PositiveInfinity : logProb[best] - logProb[own],
            TailProbability = all > 0 ? Math.Clamp(tail / all, 0, 1) : 0,
            Gradient = -gradient,
        };
    }
}
