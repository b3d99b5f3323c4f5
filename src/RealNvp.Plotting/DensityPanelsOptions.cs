namespace RealNvp.Plotting;

/// <summary>What a <see cref="DensityPanels"/> picture shows of the plane, its titles and its size.</summary>
public sealed record DensityPanelsOptions : PictureOptions
{
    /// <summary>The part of the plane that every panel shows. Default: -4 to 4 in both directions.</summary>
    public PlotBox Box { get; init; } = PlotBox.Square(4);

    /// <summary>The number of cells of the density in each direction, 2 to 2000, if it is given as a function. Default 200.</summary>
    public int Resolution { get; init; } = 200;

    /// <summary>The title of the data panel. Default "data".</summary>
    public string DataTitle { get; init; } = "data";

    /// <summary>The title of the density panel. Default "model density".</summary>
    public string DensityTitle { get; init; } = "model density";

    /// <summary>The title of the sample panel. Default "model samples".</summary>
    public string SamplesTitle { get; init; } = "model samples";

    /// <summary>The title of the grid panel. Default "warped latent grid".</summary>
    public string GridTitle { get; init; } = "warped latent grid";

    /// <summary>The label of the x axes; null for the first column of the flow (<see cref="Flow.Info"/>), or "x1".</summary>
    public string? XLabel { get; init; }

    /// <summary>The label of the y axes; null for the second column of the flow, or "x2".</summary>
    public string? YLabel { get; init; }

    /// <summary>The width of one panel's plane in pixels, 100 to 2000; its height
    /// follows from the box, since both axes have the same unit. Default 360.</summary>
    public int PanelWidth { get; init; } = 360;
}
