namespace RealNvp.Plotting;

/// <summary>The numbers behind one row of a <see cref="CalibrationPlot"/>.</summary>
/// <remarks>
/// Bands are intervals of the binomial distribution, computed exactly: under a calibrated model
/// each count, taken by itself, lies inside with the confidence of the picture at least.
/// </remarks>
public sealed class CalibrationSeries
{
    internal CalibrationSeries() { }

    /// <summary>What is predicted.</summary>
    public required string Name { get; init; }

    /// <summary>The number of predictions, N.</summary>
    public required int Count { get; init; }

    /// <summary>How many of the N values lie in each bin of the histogram, from 0 to 1.</summary>
    public required IReadOnlyList<int> BinCounts { get; init; }

    /// <summary>The probability of each bin under a calibrated model. Bins of ranks may have unequal ones.</summary>
    public required IReadOnlyList<double> BinProbabilities { get; init; }

    /// <summary>The lower and the upper end of the band of each count, both of them inside.</summary>
    public required IReadOnlyList<(int Low, int High)> BinBands { get; init; }

    /// <summary>The number of bins whose count is outside of its band.</summary>
    public int BinsOutside => BinCounts.Where((count, i) => count < BinBands[i].Low || count > BinBands[i].High).Count();

    /// <summary>The probabilities of the central intervals, rising.</summary>
    public required IReadOnlyList<double> Nominal { get; init; }

    /// <summary>The shares of the N true values that lie in these intervals.</summary>
    public required IReadOnlyList<double> Actual { get; init; }

    /// <summary>The band of each share.</summary>
    public required IReadOnlyList<(double Low, double High)> ActualBands { get; init; }
}
