namespace RealNvp.Plotting;

/// <summary>Which grids a <see cref="WarpedGrid"/> shows, its titles and its size.</summary>
public sealed record WarpedGridOptions : PictureOptions
{
    /// <summary>The grid of the latent space that the inverse takes to data. Default: -3 to 3 in both directions.</summary>
    public PlotBox LatentGrid { get; init; } = PlotBox.Square(3);

    /// <summary>
    /// The grid of the data space that the forward direction takes to latents. Null takes the square that the bulk of
    /// the data fills, or without data what the latent grid becomes. All of it must lie in the domain of the flow.
    /// </summary>
    public PlotBox? DataGrid { get; init; }

    /// <summary>The number of lines in each direction, 2 to 200. Default 17.</summary>
    public int Lines { get; init; } = 17;

    /// <summary>The number of points on each line, 2 to 5000: many make a bent line smooth. Default 400.</summary>
    public int PointsPerLine { get; init; } = 400;

    /// <summary>The title of the panel in the data space. Default "latent grid in the data space".</summary>
    public string DataTitle { get; init; } = "latent grid in the data space";

    /// <summary>The title of the panel in the latent space. Default "data grid in the latent space".</summary>
    public string LatentTitle { get; init; } = "data grid in the latent space";

    /// <summary>The width and the height of one panel's plane in pixels, 100 to 2000. Default 400.</summary>
    public int PanelSize { get; init; } = 400;
}
