namespace RealNvp.Plotting;

/// <summary>The texts and the size of a <see cref="TrainingCurve"/>.</summary>
public sealed record TrainingCurveOptions : PictureOptions
{
    /// <summary>The label of the x axis. Default "epoch".</summary>
    public string XLabel { get; init; } = "epoch";

    /// <summary>The label of the y axis, with its unit. Null takes "loss", and for the result
    /// of a training what was made small, such as "−log p(x), nats an example".</summary>
    public string? YLabel { get; init; }

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
