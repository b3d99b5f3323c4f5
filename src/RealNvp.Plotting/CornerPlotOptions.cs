using RealNvp.Internal;

namespace RealNvp.Plotting;

/// <summary>Names, features and size of a <see cref="CornerPlot"/>.</summary>
public sealed record CornerPlotOptions : PictureOptions
{
    /// <summary>A name for each feature of the data; null for those of the columns of the flow (<see cref="Flow.Info"/>) if there is one
    /// that has them, or x1, x2, ...</summary>
    public IReadOnlyList<string>? Names { get; init => field = Listed<string>.Of(value); }

    /// <summary>Which features are shown, counted from 0, each once, in this order: 1
    /// to 12 of them. Null shows all, or the first eight of more than eight.</summary>
    public IReadOnlyList<int>? Features { get; init => field = Listed<int>.Of(value); }

    /// <summary>The name of the data in the legend. Default "data".</summary>
    public string DataLabel { get; init; } = "data";

    /// <summary>The name of the samples in the legend. Default "samples".</summary>
    public string SamplesLabel { get; init; } = "samples";

    /// <summary>The number of bins of the histograms, 2 to 200. Default 30.</summary>
    public int Bins { get; init; } = 30;

    /// <summary>The width and the height of one panel in pixels, 60 to 1000; null takes what suits the number of features.</summary>
    public int? PanelSize { get; init; }
}
