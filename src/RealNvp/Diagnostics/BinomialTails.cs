namespace RealNvp;

/// <summary>For each count of a binomial variable how odd it is: twice the smaller of P(X ≤ c) and P(X ≥ c), at most 1.</summary>
/// <remarks>Counts outside of the window have less than 1e-25 of the weight of the likeliest one; their value is 0.</remarks>
internal sealed class BinomialTails
{
    private const double Least = 1e-25;

    private readonly double[] odd;
    private readonly int first;

    /// <summary>Makes the table.</summary>
    /// <param name="trials">n, at least 1.</param>
    /// <param name="probability">In 0 ... 1, both ends excluded.</param>
    public BinomialTails(int trials, double probability)
    {
        // weights relative to that of the mode need no factorial, and their sum makes them exact
        var mode = (int)Math.Min(trials, Math.Floor((trials + 1.0) * probability));
        List<double> below = [], above = [];
        var weight = 1.0;
        for (var k = mode; k > 0 && weight > Least; k--)
            below.Add(weight *= k * (1 - probability) / ((trials - k + 1.0) * probability));
        weight = 1;
        for (var k = mode; k < trials && weight > Least; k++)
            above.Add(weight *= (trials - k) * probability / ((k + 1.0) * (1 - probability)));
        below.Reverse();
        double[] weights = [.. below, 1, .. above];
        first = mode - below.Count;
        odd = new double[weights.Length];
        // from each end inwards, so that small weights are added first
        var sum = 0.0;
        for (var i = 0; i < weights.Length; i++) odd[i] = sum += weights[i];
        var total = sum;
        sum = 0;
        for (var i = weights.Length - 1; i >= 0; i--) odd[i] = Math.Min(1, 2 * Math.Min(odd[i], sum += weights[i]) / total);
    }

    /// <summary>How odd a count is, from 0 to 1.</summary>
    public double Of(int count)
    {
        var at = count - first;
        return at >= 0 && at < odd.Length ? odd[at] : 0;
    }

    /// <summary>The counts that are less odd than a bound: the least and the most of them; the likeliest one if there is none.</summary>
    /// <param name="bound">Counts whose value is above it count.</param>
    public (int Low, int High) Within(double bound)
    {
        var (low, high) = (0, odd.Length - 1);
        while (low < high && odd[low] <= bound) low++;
        while (high > low && odd[high] <= bound) high--;
        return (first + low, first + high);
    }
}
