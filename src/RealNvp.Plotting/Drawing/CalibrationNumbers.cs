namespace RealNvp.Plotting;

/// <summary>Counts values in bins and in central intervals, with what a calibrated model would give.</summary>
internal static class CalibrationNumbers
{
    private const int Levels = 50;

    /// <summary>Of PIT values in 0 ... 1, uniform under a calibrated model.</summary>
    public static CalibrationSeries OfPit(string name, double[] pit, CalibrationPlotOptions options)
    {
        var bins = options.Bins;
        var counts = new int[bins];
        foreach (var u in pit) counts[Math.Min((int)(u * bins), bins - 1)]++;
        var nominal = Enumerable.Range(0, Levels + 1).Select(k => (double)k / Levels).ToArray();
        var depths = pit.Select(u => Math.Abs(2 * u - 1)).Order().ToArray();
        return New(name, pit.Length, counts, [.. counts.Select(_ => 1.0 / bins)], nominal, [.. nominal.Select(c => CountUpTo(depths, c))],
            options);
    }

    /// <summary>Of ranks 0 ... draws, equally likely under a calibrated model.</summary>
    public static CalibrationSeries OfRanks(string name, int[] ranks, int draws, CalibrationPlotOptions options)
    {
        var bins = BinsOf(draws + 1, options.Bins);
        int Bin(long rank) => (int)(rank * bins / (draws + 1));
        var counts = new int[bins];
        foreach (var rank in ranks) counts[Bin(rank)]++;
        var sizes = new int[bins];
        for (var rank = 0; rank <= draws; rank++) sizes[Bin(rank)]++;

        // the interval of all ranks with |2 rank - draws| <= t holds t + 1 of the draws + 1 ranks
        var widths = Enumerable.Range(0, draws / 2 + 1).Select(k => draws % 2 + 2 * k).ToArray();
        if (widths.Length > Levels)
            widths = [.. Enumerable.Range(0, Levels).Select(i => widths[(int)((long)i * (widths.Length - 1) / (Levels - 1))])];
        var depths = ranks.Select(r => (double)Math.Abs(2L * r - draws)).Order().ToArray();
        return New(name, ranks.Length, counts, [.. sizes.Select(s => (double)s / (draws + 1))],
            [.. widths.Select(t => (t + 1.0) / (draws + 1))], [.. widths.Select(t => CountUpTo(depths, t))], options);
    }

    private static int BinsOf(int values, int asked)
    {
        if (values <= asked) return values;
        for (var bins = asked; 2 * bins >= asked; bins--)
            if (values % bins == 0) return bins;
        return asked;
    }

    private static CalibrationSeries New(
        string name, int n, int[] counts, double[] probabilities, double[] nominal, int[] inside, CalibrationPlotOptions options) => new()
    {
        Name = name,
        Count = n,
        BinCounts = counts,
        BinProbabilities = probabilities,
        BinBands = [.. probabilities.Select(p => Binomial.Interval(n, p, options.Confidence))],
        Nominal = nominal,
        Actual = [.. inside.Select(k => (double)k / n)],
        ActualBands = [.. nominal.Select(c => Binomial.Interval(n, c, options.Confidence))
            .Select(b => ((double)b.Low / n, (double)b.High / n))],
    };

    private static int CountUpTo(double[] sorted, double most)
    {
        var (low, high) = (0, sorted.Length);
        while (low < high)
        {
            var middle = (low + high) / 2;
            // |2u - 1| of a u on the edge is rounded
            if (sorted[middle] <= most + 1e-12) low = middle + 1;
            else high = middle;
        }
        return low;
    }
}
