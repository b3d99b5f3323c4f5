namespace RealNvp.Plotting;

/// <summary>The title and the size of a <see cref="LayerPlot"/>.</summary>
public sealed record LayerPlotOptions : PictureOptions
{
    /// <summary>The width of the picture in pixels, 500 to 4000. Default 1000. The height follows from the number of layers.</summary>
    public int Width { get; init; } = 1000;
}
