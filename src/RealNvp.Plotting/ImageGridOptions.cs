using RealNvp.Internal;

namespace RealNvp.Plotting;

/// <summary>How an <see cref="ImageGrid"/> is laid out, and which values are black and white.</summary>
public sealed record ImageGridOptions : PictureOptions
{
    /// <summary>The number of images in a row, at least 1.</summary>
    /// <remarks>
    /// When null: the number of <see cref="ColumnTitles"/>; without those, what gives as many rows as
    /// <see cref="RowTitles"/>; without those, about as many columns as rows.
    /// </remarks>
    public int? Columns { get; init; }

    /// <summary>How many pixels wide and high one pixel of an image is drawn, at least 1. No smoothing is done.</summary>
    /// <remarks>When null: the smallest scale that draws the longer side of an image with at least 56 pixels.</remarks>
    public int? Scale { get; init; }

    /// <summary>The white space between images and around the grid, in pixels, at least 0. Default 2.</summary>
    public int Padding { get; init; } = 2;

    /// <summary>The number of values that a pixel can have, at least 2: 0 is
    /// drawn black and <c>Levels - 1</c> white (or full colour).</summary>
    /// <remarks>When null, and <see cref="Range"/> is null too: 256 for an
    /// integer dtype, 2 for bool; a floating dtype needs one of both.</remarks>
    public int? Levels { get; init; }

    /// <summary>The values that are drawn black and white. Values outside are
    /// drawn as the nearer one. Used instead of <see cref="Levels"/>.</summary>
    public (double Low, double High)? Range { get; init; }

    /// <summary>One title for each row, drawn to its left, or null.</summary>
    public IReadOnlyList<string>? RowTitles { get; init => field = Listed<string>.Of(value); }

    /// <summary>One title for each column, drawn above it, or null. Columns move apart where the titles need it.</summary>
    public IReadOnlyList<string>? ColumnTitles { get; init => field = Listed<string>.Of(value); }
}
