namespace RealNvp.Plotting;

/// <summary>The title and the size of a <see cref="DiagnosticPlot"/>.</summary>
public sealed record DiagnosticPlotOptions : PictureOptions
{
    /// <summary>The width of one panel in pixels, 200 to 2000. Default 400.</summary>
    public int PanelWidth { get; init; } = 400;

    /// <summary>The height of one panel in pixels, 150 to 2000. Default 320.</summary>
    public int PanelHeight { get; init; } = 320;

    /// <summary>The most panels of a result with many quantities, 1 to 30; those with the smallest p-values are shown. Default 9.</summary>
    public int MaxPanels { get; init; } = 9;
}
