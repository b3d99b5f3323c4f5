using System.Globalization;
using RealNvp.Internal;

namespace RealNvp;

/// <summary>
/// Counts ranks of true values among draws, quantity by quantity and row by row, for the true values and for others in their place:
/// draws that are taken for them at random, in each row the same one for all quantities.
/// </summary>
internal sealed class RankCounter
{
    // counts of all permutations; more quantities leave fewer permutations
    private const long MostCounts = 1 << 26, MostNumbers = 1 << 29;
    private const int MostPermutations = 999, FewestPermutations = 199;

    private readonly string[] names;
    private readonly int draws;
    private readonly UniformBand band;
    private readonly Random random;
    private readonly int[] counts, order, rank, chosen;
    private readonly double[] keys, sums, spreads;

    /// <summary>Makes the counter.</summary>
    /// <param name="names">Of the quantities, at least one.</param>
    /// <param name="rows">N.</param>
    /// <param name="draws">L.</param>
    /// <param name="seed">Orders values that are equal, and chooses the draws.</param>
    public RankCounter(string[] names, int rows, int draws, long seed)
    {
        (this.names, this.draws, random) = (names, draws, Seeds.Random(seed, -1));
        band = UniformBand.Of(rows, draws + 1);
        if (names.Length > MostNumbers / ((FewestPermutations + 1) * band.Bins))
            throw new ArgumentException(string.Create(CultureInfo.InvariantCulture,
                $"A calibration with {draws} draws looks at {MostNumbers / ((FewestPermutations + 1) * band.Bins):N0} quantities at " +
                $"most; got {names.Length:N0}. Look at some columns at a time, or take fewer draws."));
        // the p-value of one quantity is known
        Permutations = names.Length == 1 ? 0
            : (int)Math.Clamp(MostCounts / ((long)names.Length * band.Bins), FewestPermutations, MostPermutations);
        counts = new int[checked((Permutations + 1) * names.Length * band.Bins)];
        (order, rank, keys, chosen) = (new int[draws + 1], new int[draws + 1], new double[draws + 1], new int[Permutations + 1]);
        (sums, spreads) = (new double[names.Length], new double[names.Length]);
    }

    /// <summary>How many times other values take the places of the true ones.</summary>
    public int Permutations { get; }

    /// <summary>Adds a row: (1 + L) times the quantities, the true value first.</summary>
    public void Add(ReadOnlySpan<double> row)
    {
        for (var b = 1; b <= Permutations; b++) chosen[b] = random.Next(draws + 1);
        for (var q = 0; q < names.Length; q++)
        {
            for (var i = 0; i <= draws; i++) keys[i] = row[(i * names.Length) + q];
            if (Permutations == 0) rank[0] = RankOfFirst();
            else RankAll();
            var u = (rank[0] + 0.5) / (draws + 1);
            sums[q] += u;
            spreads[q] += Math.Abs((2 * u) - 1);
            for (var b = 0; b <= Permutations; b++)
                counts[(((b * names.Length) + q) * band.Bins) + band.BinOf(rank[chosen[b]])]++;
        }
    }

    /// <summary>The tests of all quantities, and the p-value of the oddest.</summary>
    public (UniformityTest[] Tests, double PValue) Result(double level)
    {
        var rows = 0;
        for (var bin = 0; bin < band.Bins; bin++) rows += counts[bin];
        var tests = Enumerable.Range(0, names.Length).Select(q => UniformityTest.Of(names[q], counts.AsSpan(q * band.Bins, band.Bins), band,
            draws, sums[q] / rows, spreads[q] / rows, level)).ToArray();
        if (Permutations == 0) return (tests, tests[0].PValue);
        var (seen, asOdd) = (Oddest(0), 0);
        for (var b = 1; b <= Permutations; b++)
            if (UniformBand.AsOdd(Oddest(b), seen)) asOdd++;
        return (tests, (1.0 + asOdd) / (1 + Permutations));
    }

    private double Oddest(int permutation)
    {
        var oddest = 1.0;
        for (var q = 0; q < names.Length; q++)
            oddest = Math.Min(oddest, band.Oddest(counts.AsSpan(((permutation * names.Length) + q) * band.Bins, band.Bins)));
        return oddest;
    }

    // equal values are ordered by chance
    private int RankOfFirst()
    {
        var (below, equal, value) = (0, 0, keys[0]);
        for (var i = 1; i <= draws; i++)
        {
            if (keys[i] < value) below++;
            else if (keys[i] == value) equal++;
        }
        return equal == 0 ? below : below + random.Next(equal + 1);
    }

    private void RankAll()
    {
        for (var i = 0; i <= draws; i++) order[i] = i;
        Array.Sort(keys, order);
        for (var start = 0; start <= draws;)
        {
            var end = start + 1;
            while (end <= draws && keys[end] == keys[start]) end++;
            if (end - start > 1) random.Shuffle(order.AsSpan(start, end - start));
            start = end;
        }
        for (var place = 0; place <= draws; place++) rank[order[place]] = place;
    }
}
