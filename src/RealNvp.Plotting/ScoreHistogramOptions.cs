namespace RealNvp.Plotting;

/// <summary>The texts, the bins and the size of a <see cref="ScoreHistogram"/>.</summary>
public sealed record ScoreHistogramOptions : PictureOptions
{
    /// <summary>The label of the x axis. Default "score: −log p(x)".</summary>
    public string XLabel { get; init; } = "score: −log p(x)";

    /// <summary>The name of the first population. Default "normal".</summary>
    public string FirstLabel { get; init; } = "normal";

    /// <summary>The name of the second population. Default "anomaly".</summary>
    public string SecondLabel { get; init; } = "anomaly";

    /// <summary>The number of bins over the range of the x axis, 1 to 1000. Default 50.</summary>
    public int Bins { get; init; } = 50;

    /// <summary>A score that is marked by a vertical line, such as a decision threshold, or null.</summary>
    public double? Threshold { get; init; }

    /// <summary>The largest score that is shown; larger ones are counted in
    /// the last bin. Null chooses the bulk of both populations.</summary>
    public double? Largest { get; init; }

    /// <summary>The width of the picture in pixels, at least 200. Default 900.</summary>
    public int Width { get; init; } = 900;

    /// <summary>The height of the picture in pixels, at least 150. Default 480.</summary>
    public int Height { get; init; } = 480;
}
