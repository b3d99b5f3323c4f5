using RealNvp.Internal;

namespace RealNvp.Plotting;

/// <summary>Names, bins and size of a <see cref="CalibrationPlot"/>.</summary>
public sealed record CalibrationPlotOptions : PictureOptions
{
    /// <summary>A name for each column of the values; null for those of the columns of the flow (<see cref="Flow.Info"/>) if there is one
    /// that has them, or x1, x2, ...</summary>
    public IReadOnlyList<string>? Names { get; init => field = Listed<string>.Of(value); }

    /// <summary>
    /// The number of bins of the histogram, 2 to 200. Default 20. Ranks of few draws have fewer: the largest
    /// number up to this one that gives all bins equally many ranks, if it is at least half of this one.
    /// </summary>
    public int Bins { get; init; } = 20;

    /// <summary>The probability that a count of a calibrated model lies in its band, 0.5 to 0.9999. Default 0.99.</summary>
    public double Confidence { get; init; } = 0.99;

    /// <summary>The width of one panel in pixels, 200 to 2000; there are two of them side by side. Default 440.</summary>
    public int PanelWidth { get; init; } = 440;

    /// <summary>The height of one panel in pixels, 150 to 2000. Default 330.</summary>
    public int PanelHeight { get; init; } = 330;
}
