namespace RealNvp.Plotting;

/// <summary>The texts and the size of a <see cref="TrainingCurve"/>.</summary>
public sealed record TrainingCurveOptions
{
    /// <summary>A title above the chart, or null.</summary>
    public string? Title { get; init; }

    /// <summary>The label of the x axis. Default "epoch".</summary>
    public string XLabel { get; init; } = "epoch";

    /// <summary>The label of the y axis, with its unit. Default "bits/dim".</summary>
    public string YLabel { get; init; } = "bits/dim";

    /// <summary>The name of the training series in the legend. Default "training".</summary>
    public string TrainingLabel { get; init; } = "training";

    /// <summary>The name of the validation series in the legend. Default "validation".</summary>
    public string ValidationLabel { get; init; } = "validation";

    /// <summary>True if a lower value is better, as for a loss; false for a log-likelihood. Default true.</summary>
    public bool LowerIsBetter { get; init; } = true;

    /// <summary>The width of the picture in pixels, at least 200. Default 900.</summary>
    public int Width { get; init; } = 900;

    /// <summary>The height of the picture in pixels, at least 150. Default 520.</summary>
    public int Height { get; init; } = 520;
}
