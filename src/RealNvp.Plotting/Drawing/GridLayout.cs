using SkiaSharp;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Plotting;

/// <summary>Where the images and titles of an image grid go, in pixels.</summary>
internal sealed class GridLayout
{
    private const float TextSize = Charts.TextSize, MinTextSize = 12, TitleSize = Charts.TitleSize;
    private const int Gap = 8;
    private const int UsualSide = 56;

    private int columns, rows, cellWidth, cellHeight, pitchX, pitchY, left, top, columnTitleHeight;
    private float columnTextSize = TextSize;

    private GridLayout() { }

    public int Count { get; private init; }
    public int ImageHeight { get; private init; }
    public int ImageWidth { get; private init; }
    public int Width { get; private set; }
    public int Height { get; private set; }

    public static GridLayout Of(Tensor images, ImageGridOptions options)
    {
        CheckShape(images);
        var layout = new GridLayout { Count = (int)images.size(0), ImageHeight = (int)images.size(-2), ImageWidth = (int)images.size(-1) };
        layout.CountRowsAndColumns(options);
        layout.Measure(options);
        return layout;
    }

    /// <summary>Where image <paramref name="index"/> is drawn.</summary>
    public SKRect Cell(int index)
    {
        var (x, y) = (left + index % columns * pitchX + (pitchX - cellWidth) / 2, top + index / columns * pitchY);
        return new SKRect(x, y, x + cellWidth, y + cellHeight);
    }

    public void DrawTitles(SKCanvas canvas, Text text, ImageGridOptions options)
    {
        if (!string.IsNullOrEmpty(options.Title))
            text.Draw(canvas, options.Title, Width / 2f, Gap + TitleSize / 2, TitleSize, SKTextAlign.Center);
        for (var r = 0; r < (options.RowTitles?.Count ?? 0); r++)
            text.Draw(canvas, options.RowTitles![r], left - Gap, Cell(r * columns).MidY, TextSize, SKTextAlign.Right);
        for (var c = 0; c < (options.ColumnTitles?.Count ?? 0); c++)
            text.Draw(canvas, options.ColumnTitles![c], left + c * pitchX + pitchX / 2f, top - columnTitleHeight / 2f, columnTextSize,
                SKTextAlign.Center);
    }

    private static void CheckShape(Tensor images)
    {
        ArgumentNullException.ThrowIfNull(images);
        var shape = images.shape;
        if (shape.Length is not (3 or 4) || (shape.Length == 4 && shape[1] is not (1 or 3)) || shape.Any(s => s > int.MaxValue))
            throw new ArgumentException(
                $"images has shape {Check.Shape(images)}; expected (N, C, H, W) with C = 1 or 3, or (N, H, W).", nameof(images));
        if (shape.Contains(0))
            throw new ArgumentException($"images has shape {Check.Shape(images)}; expected at least one image of at least one pixel.",
                nameof(images));
    }

    private void CountRowsAndColumns(ImageGridOptions options)
    {
        if (options.Columns < 1) throw new ArgumentException($"Columns is {options.Columns}; expected at least 1.", nameof(options));
        var asked = options.Columns ?? options.ColumnTitles?.Count
            ?? (options.RowTitles is { Count: > 0 } titles ? (Count + titles.Count - 1) / titles.Count
                : (int)Math.Ceiling(Math.Sqrt(Count)));
        // columns that no image reaches would be empty space, but a title asks for them
        columns = options.ColumnTitles is null ? Math.Min(asked, Count) : asked;
        CheckTitles(options.ColumnTitles, columns, "ColumnTitles", "columns");
        rows = (Count + columns - 1) / columns;
        CheckTitles(options.RowTitles, rows, "RowTitles", "rows");
    }

    private void CheckTitles(IReadOnlyList<string>? titles, int expected, string name, string what)
    {
        if (titles is not null && (titles.Count != expected || expected < 1))
            throw new ArgumentException(
                $"{name} holds {titles.Count} titles, but the {Count} images fill {expected} {what}; expected one for each.");
    }

    private void Measure(ImageGridOptions options)
    {
        if (options.Scale < 1) throw new ArgumentException($"Scale is {options.Scale}; expected at least 1.", nameof(options));
        if (options.Padding < 0) throw new ArgumentException($"Padding is {options.Padding}; expected at least 0.", nameof(options));
        var longer = Math.Max(ImageHeight, ImageWidth);
        long scale = options.Scale ?? (UsualSide + longer - 1) / longer, padding = options.Padding;
        long wide = scale * ImageWidth, high = scale * ImageHeight;
        Check.PictureSize(wide, high, "Use a smaller Scale.");
        Check.PictureSize(columns * (wide + padding) + padding, rows * (high + padding) + padding, "Use a smaller Scale or fewer images.");

        using var text = new Text();
        (cellWidth, cellHeight) = ((int)wide, (int)high);
        pitchX = cellWidth + options.Padding;
        pitchY = cellHeight + options.Padding;
        if (options.ColumnTitles is { } titles)
        {
            var widest = titles.Max(t => text.Width(t, TextSize));
            columnTextSize = Math.Clamp(TextSize * (pitchX - Gap) / Math.Max(widest, 1), MinTextSize, TextSize);
            pitchX = Math.Max(pitchX, (int)Math.Ceiling(widest * columnTextSize / TextSize) + Gap);
            columnTitleHeight = (int)TextSize + Gap;
        }
        var rowTitles = options.RowTitles is { } names ? (int)Math.Ceiling(names.Max(t => text.Width(t, TextSize))) + 2 * Gap : 0;
        var title = string.IsNullOrEmpty(options.Title) ? 0 : (int)TitleSize + 2 * Gap;
        left = Math.Max(rowTitles, options.Padding - options.Padding / 2);
        top = Math.Max(options.Padding, title) + columnTitleHeight;
        var right = Math.Max(options.Padding / 2, rowTitles > 0 ? Gap : 0);
        Width = left + columns * pitchX + right;
        Height = top + rows * pitchY + (rowTitles > 0 ? Math.Max(0, Gap - options.Padding) : 0);
        if (title > 0)
        {
            var missing = (int)Math.Ceiling(text.Width(options.Title!, TitleSize)) + 2 * Gap - Width;
            if (missing > 0) (Width, left) = (Width + missing, left + missing / 2);
        }
        Check.PictureSize(Width, Height, "Use a smaller Scale, fewer images or shorter titles.");
    }
}
