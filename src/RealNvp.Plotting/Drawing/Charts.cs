using ScottPlot;
using ScottPlot.TickGenerators;
using SkiaSharp;

namespace RealNvp.Plotting;

/// <summary>The common look of every chart.</summary>
internal static class Charts
{
    public const float TextSize = 16, TickSize = 14, TitleSize = 20;
    private const int Edge = 6;

    // what the axes take of a chart, about; the ticks are chosen for the rest
    private const float Beside = 80, Below = 60;

    /// <summary>A plot in the common look; the caller adds the data, sets the limits, and draws it.</summary>
    public static Plot New(string? xLabel, string? yLabel)
    {
        var plot = new Plot();
        plot.FigureBackground.Color = Colors.White;
        plot.DataBackground.Color = Colors.White;
        plot.Grid.MajorLineColor = Palette.GridLine;
        plot.HideLegend();
        if (!string.IsNullOrEmpty(xLabel)) plot.XLabel(xLabel, TextSize);
        if (!string.IsNullOrEmpty(yLabel)) plot.YLabel(yLabel, TextSize);
        return plot;
    }

    public static void AddLines(Plot plot, IReadOnlyList<Coordinates[]> lines, Color color, float width, float[]? dashes = null) =>
        plot.Add.Plottable(new Strokes(lines, color, width, dashes));

    public static void AddLine(Plot plot, IEnumerable<Coordinates> line, Color color, float width, float[]? dashes = null) =>
        AddLines(plot, [[.. line]], color, width, dashes);

    /// <summary>Adds an area with an outline, or without.</summary>
    public static void AddArea(Plot plot, IReadOnlyList<Coordinates> outline, Color fill, Color? edge = null, float[]? dashes = null)
    {
        var area = plot.Add.Polygon(outline.ToArray());
        (area.FillColor, area.LineWidth) = (fill, 0);
        if (edge is not null) AddLine(plot, outline, edge.Value, 1.6f, dashes);
    }

    /// <summary>Draws a chart with its title and legend over the whole picture, with a little space at the edges.</summary>
    public static void Draw(SKCanvas canvas, Plot plot, int width, int height, string? title, Legend legend, bool whole = false) =>
        Draw(canvas, plot, new PixelRect(Edge, width - Edge, height - Edge, Edge), title, legend, whole);

    /// <summary>Draws a chart into a part of the picture, with its title and legend above.</summary>
    public static void Draw(SKCanvas canvas, Plot plot, PixelRect place, string? title, Legend? legend, bool whole = false,
        float titleSize = TitleSize)
    {
        using var text = new Text();
        // a chart of a few pixels has room for smaller texts alone
        var scale = Math.Clamp(Math.Min(place.Width / 420f, place.Height / 300f), 0.6f, 1);
        var top = place.Top;
        if (!string.IsNullOrEmpty(title))
        {
            text.DrawFitted(canvas, title, place.Left + place.Width / 2f, top + 0.8f * scale * titleSize, scale * titleSize,
                SKTextAlign.Center, place.Width - 12);
            top += 1.8f * scale * titleSize;
        }
        if (legend is not null) top += legend.Draw(canvas, text, place.Left + 6, place.Right - 6, top, scale * TextSize) + 2;
        var rest = new PixelRect(place.Left, place.Right, place.Bottom, top);
        var limits = plot.Axes.GetLimits();
        var (across, up) = (rest.Width - scale * Beside, rest.Height - scale * Below);
        Finish(plot, text, across, up, scale,
            Ticks.Across(limits.Left, limits.Right, across, t => text.Width(t, scale * TickSize), whole),
            Ticks.Up(limits.Bottom, limits.Top, up));
        Render(canvas, plot, rest);
    }

    /// <summary>Draws a finished plot into a part of the picture.</summary>
    public static void Render(SKCanvas canvas, Plot plot, PixelRect place)
    {
        // ScottPlot draws twice for the first time, the second over the first: an SVG file would hold both
        using (var nothing = new SKNoDrawCanvas((int)place.Right + 1, (int)place.Bottom + 1)) plot.Render(nothing, place);
        canvas.Save();
        canvas.ClipRect(new SKRect(place.Left, place.Top, place.Right, place.Bottom));
        plot.Render(canvas, place);
        canvas.Restore();
    }

    /// <summary>Sets ticks, fonts and colours of the axes. It goes last: it sees only what is there.</summary>
    public static void Finish(Plot plot, Text text, float across, float up, float scale, Ticks? x, Ticks? y)
    {
        foreach (var axis in plot.Axes.GetAxes())
        {
            axis.FrameLineStyle.Color = Palette.Frame;
            axis.MajorTickStyle.Color = Palette.Frame;
            axis.MinorTickStyle.Length = 0;
            axis.TickLabelStyle.FontName = TextFont.Name;
            axis.TickLabelStyle.FontSize = scale * TickSize;
            axis.TickLabelStyle.ForeColor = Palette.Ink;
        }
        Set(plot.Axes.Bottom, x, across);
        Set(plot.Axes.Left, y, up);

        void Set(IAxis axis, Ticks? ticks, float length)
        {
            axis.TickGenerator = ticks is null ? new NumericManual([], []) : new NumericManual(ticks.Positions, ticks.Labels);
            if (ticks?.Offset is { } offset)
                axis.Label.Text = string.IsNullOrEmpty(axis.Label.Text) ? offset : $"{axis.Label.Text}  ({offset})";
            Style(axis.Label);
            axis.Label.IsVisible = axis.Label.Text.Length > 0;
            (axis.Label.Text, axis.Label.FontSize) = text.Fit(axis.Label.Text, scale * TextSize, length + 40 * scale);
        }
    }

    /// <summary>A title as the beginning of a description.</summary>
    public static string Prefix(string? title) => string.IsNullOrWhiteSpace(title) ? "" : title.TrimEnd('.') + ". ";

    /// <summary>Sets font, colour and weight of one label.</summary>
    public static void Style(LabelStyle label)
    {
        label.FontName = TextFont.Name;
        label.ForeColor = Palette.Ink;
        label.Bold = false;
    }
}
