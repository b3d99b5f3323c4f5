namespace RealNvp;

/// <summary>Scores of rows, and of draws in the place of the true values.</summary>
internal sealed class CrpsSums(int rows, int draws, long seed)
{
    private const int Permutations = 999, Groups = 10;

    private readonly Random random = Seeds.Random(seed, -8);
    private readonly double[] excess = new double[Permutations + 1], distances = new double[draws + 1],
        truths = new double[rows], scores = new double[rows], expected = new double[rows];
    private readonly int[] order = new int[draws + 1];
    private int count;

    /// <summary>Adds a row: the true value, and L draws.</summary>
    public void Add(double[] values)
    {
        truths[count] = values[0];
        for (var i = 0; i <= draws; i++) order[i] = i;
        Array.Sort(values, order);
        // of each value the sum of the distances from all others, and the sum over all pairs
        double all = 0, below = 0, total = 0;
        foreach (var v in values) all += v;
        for (var k = 0; k <= draws; k++)
        {
            var sum = (values[k] * k) - below + (all - below - values[k]) - (values[k] * (draws - k));
            distances[order[k]] = sum;
            total += sum / 2;
            below += values[k];
        }
        // E|X − y| less E|X − X'|, whose mean is 0 if the density is right
        double Excess(int chosen) => (distances[chosen] / draws) - (2 * (total - distances[chosen]) / ((double)draws * (draws - 1)));
        var spread = (total - distances[0]) / ((double)draws * (draws - 1));
        (scores[count], expected[count]) = ((distances[0] / draws) - spread, spread);
        excess[0] += Excess(0);
        for (var b = 1; b <= Permutations; b++) excess[b] += Excess(random.Next(draws + 1));
        count++;
    }

    public CrpsResult Result(string name, double level)
    {
        var far = Math.Abs(excess[0]) * (1 - 1e-9);
        var asFar = excess.Skip(1).Count(e => Math.Abs(e) >= far);
        var byExpected = Enumerable.Range(0, count).OrderBy(r => expected[r]).ToArray();
        var groups = Enumerable.Range(0, Math.Min(Groups, count))
            .Select(g => byExpected[(int)((long)g * count / Math.Min(Groups, count))..(int)((g + 1L) * count / Math.Min(Groups, count))])
            .ToArray();
        return new()
        {
            Name = name, Count = count, PValue = (1.0 + asFar) / (1 + Permutations), Level = level, Mean = scores.Average(),
            StandardError = Error(scores), Expected = expected.Average(), WithoutContext = Unconditional(),
            GroupExpected = Array.ConvertAll(groups, g => g.Average(r => expected[r])),
            GroupObserved = Array.ConvertAll(groups, g => g.Average(r => scores[r])),
            GroupErrors = Array.ConvertAll(groups, g => Error([.. g.Select(r => scores[r])])),
        };
    }

    // each true value under the others: the mean of E|X − y| less ½ E|X − X'| of n − 1 values
    private double Unconditional()
    {
        if (count < 3) return double.NaN;
        var sorted = truths.Order().ToArray();
        var pairs = 0.0;
        for (var k = 0; k < count; k++) pairs += sorted[k] * ((2.0 * k) - count + 1);
        // both means are that of all pairs
        return pairs / ((double)count * (count - 1));
    }

    private static double Error(double[] values)
    {
        if (values.Length < 2) return double.NaN;
        return Internal.Spread.Of(values) / Math.Sqrt(values.Length - 1.0);
    }
}
