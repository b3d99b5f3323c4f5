namespace RealNvp.Benchmarks.Anomalies;

/// <summary>How many of m ordinary rows have a p-value of at most α, if n rows of calibration are drawn alike: beta-binomial with
/// a = k and b = n + 1 − k, k the whole part of α (n + 1), as long as no two scores are equal.</summary>
internal static class BetaBinomial
{
    /// <summary>The central interval with a probability of at least 1 − <paramref name="outside"/>.</summary>
    public static (int Low, int High) Central(int calibration, int tested, double alpha, double outside)
    {
        var a = Math.Floor((alpha * (calibration + 1)) + 1e-9);
        var b = calibration + 1 - a;
        var (low, high, sum) = (-1, tested, 0.0);
        for (var k = 0; k <= tested; k++)
        {
            sum += Math.Exp(Choose(tested, k) + LogBeta(k + a, tested - k + b) - LogBeta(a, b));
            if (low < 0 && sum > outside / 2) low = k;
            if (sum < 1 - (outside / 2)) continue;
            high = k;
            break;
        }
        return (Math.Max(low, 0), high);
    }

    private static double Choose(int n, int k) => LogGamma(n + 1) - LogGamma(k + 1) - LogGamma(n - k + 1);

    private static double LogBeta(double a, double b) => LogGamma(a) + LogGamma(b) - LogGamma(a + b);

    // Stirling's series behind a few steps of the recurrence
    private static double LogGamma(double x)
    {
        var product = 1.0;
        for (; x < 10; x++) product *= x;
        var square = x * x;
        return ((x - 0.5) * Math.Log(x)) - x + (0.5 * Math.Log(2 * Math.PI))
            + ((1 - (1 / (30 * square)) + (1 / (105 * square * square))) / (12 * x)) - Math.Log(product);
    }
}
