using RealNvp.Samples.Common;

namespace RealNvp.Samples.Table;

/// <summary>Prints how a flow does beside a Gaussian and an isolation forest that saw the same rows.</summary>
internal static class Comparison
{
    /// <summary>The held-out log-likelihood, and, where anomalies are known, how well each method tells them.</summary>
    public static void Report(TableSplit split, double[] scores, int seed)
    {
        using var training = split.Select([.. split.Training, .. split.Validation]);
        using var gaussian = new Gaussian(training);
        var normal = gaussian.LogProb(split.Values);
        Likelihood(Array.ConvertAll(split.Test, row => -scores[row]), Array.ConvertAll(split.Test, row => normal[row]));
        if (split.Anomalies.Length == 0) return;
        var forest = new IsolationForest(training, seed).Scores(split.Values);
        int[] rows = [.. split.Test, .. split.Anomalies];
        Console.WriteLine($"\nAnomalies among the held-out rows and all anomalies");
        Detect([.. new[] { ("flow", scores), ("Mahalanobis (Gaussian)", Array.ConvertAll(normal, p => -p)), ("isolation forest", forest) }
            .Select(m => (m.Item1, Array.ConvertAll(rows, r => m.Item2[r])))], Array.ConvertAll(rows, r => split.IsAnomaly[r]));
    }

    /// <summary>How well scores tell anomalies from normal rows; higher is more unusual.</summary>
    public static void Detect(IReadOnlyList<(string Name, double[] Scores)> methods, bool[] isAnomaly)
    {
        Console.WriteLine($"  {isAnomaly.Count(a => a)} of {isAnomaly.Length} rows        ROC-AUC   average precision");
        foreach (var (name, scores) in methods)
            Console.WriteLine($"  {name,-23} {Metrics.RocAuc(scores, isAnomaly):F4}    {Metrics.AveragePrecision(scores, isAnomaly):F4}");
        Console.WriteLine($"  {"chance",-23} 0.5000    {(double)isAnomaly.Count(a => a) / isAnomaly.Length:F4}");
    }

    private static void Likelihood(double[] flow, double[] normal)
    {
        var gains = flow.Zip(normal, (f, g) => f - g).ToArray();
        Console.WriteLine($"\nHeld-out log p(x), nats a row (mean ± standard error of {flow.Length} rows; least)");
        Console.WriteLine($"  flow                      {Mean(flow)}");
        Console.WriteLine($"  Gaussian, full covariance {Mean(normal)}");
        Console.WriteLine($"  flow - Gaussian           {Mean(gains)}");
        var (mean, error) = Statistics(gains);
        Console.WriteLine("  " + (!double.IsFinite(mean) ? "The flow gives some held-out rows no density at all."
            : Math.Abs(mean) <= 2 * error ? "The difference is within two standard errors: no clear winner."
            : mean > 0 ? "The flow describes the held-out rows better."
            : "The Gaussian describes the held-out rows better. A flow needs more rows, or less freedom, on this table."));
    }

    private static string Mean(double[] values)
    {
        var (mean, error) = Statistics(values);
        return $"{mean,9:F3} ± {error:F3}  ({values.Min():F1})";
    }

    private static (double Mean, double Error) Statistics(double[] values)
    {
        var mean = values.Average();
        return (mean, values.Length < 2 ? double.NaN
            : Math.Sqrt(values.Sum(v => (v - mean) * (v - mean)) / (values.Length - 1) / values.Length));
    }
}
