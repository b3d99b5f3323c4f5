namespace RealNvp.Plotting;

/// <summary>The title and the size of a <see cref="RocCurve"/>.</summary>
public sealed record RocCurveOptions : PictureOptions
{
    /// <summary>The width of the picture in pixels, at least 200. Default 620.</summary>
    public int Width { get; init; } = 620;

    /// <summary>The height of the picture in pixels, at least 150. Default 580.</summary>
    public int Height { get; init; } = 580;
}
