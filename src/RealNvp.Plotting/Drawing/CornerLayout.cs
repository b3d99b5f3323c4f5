using System.Globalization;
using ScottPlot;
using SkiaSharp;

namespace RealNvp.Plotting;

/// <summary>Where the panels and texts of a corner plot go.</summary>
internal sealed class CornerLayout
{
    private const int Right = 14, Gap = 8, TitleHeight = 42, NoteHeight = 28, LabelSize = 26, TickRow = 24, TickGap = 12, MinWidth = 380;
    private const int LegendHeight = 60;
    private const int MaxPoints = 1500, MaxPointsOfAll = 24_000;

    private readonly int count, panel, left, head;
    private readonly Ticks[] x, y;

    private CornerLayout(IReadOnlyList<(double Low, double High)> ranges, int panel, bool title, bool note)
    {
        (count, this.panel) = (ranges.Count, panel);
        using var text = new Text();
        x = [.. ranges.Select(r => Ticks.Across(r.Low, r.High, panel, t => text.Width(t, Charts.TickSize)))];
        y = [.. ranges.Select(r => Ticks.Up(r.Low, r.High, panel))];
        var widest = y.Skip(1).SelectMany(t => t.Labels).Select(t => text.Width(t, Charts.TickSize)).DefaultIfEmpty(0).Max();
        left = count == 1 ? 24 : LabelSize + TickGap + (int)Math.Ceiling(widest);
        // one feature leaves no empty corner for the legend
        head = (title ? TitleHeight : 10) + (count == 1 ? LegendHeight : 0);
        Width = Math.Max(MinWidth, left + count * (panel + Gap) - Gap + Right);
        Height = head + count * (panel + Gap) - Gap + TickRow + LabelSize + 4 + (note ? NoteHeight : 0);
    }

    public int Width { get; }

    public int Height { get; }

    public int PointsPerPanel => Math.Min(MaxPoints, MaxPointsOfAll / Math.Max(1, count * (count - 1) / 2));

    public static CornerLayout Of(IReadOnlyList<(double Low, double High)> ranges, CornerPlotOptions options, bool note) =>
        new(ranges, options.PanelSize ?? Math.Clamp(900 / ranges.Count, 110, 300), !string.IsNullOrEmpty(options.Title), note);

    /// <summary>The left upper corner of a panel.</summary>
    public (int X, int Y) Panel(int row, int column) => (left + column * (panel + Gap), head + row * (panel + Gap));

    public void Draw(SKCanvas canvas, Text text, Plot plot, int row, int column)
    {
        var (last, first) = (row == count - 1, column == 0 && row > 0);
        // one pixel more than the frame needs
        var (beside, below, edge, right) = (first ? left : 2, last ? TickRow : 2, 2, last ? Gap - 2 : 2);
        plot.HideGrid();
        plot.Layout.Fixed(new PixelPadding(beside, right, below, edge));
        Charts.Finish(plot, text, panel, panel, 1, last ? x[column] : null, first ? y[row] : null);
        plot.Axes.Bottom.Label.IsVisible = plot.Axes.Left.Label.IsVisible = false;
        var (planeX, planeY) = Panel(row, column);
        var place = new PixelRect(planeX - beside, planeX + panel + right, planeY + panel + below, planeY - edge);
        Charts.Render(canvas, plot, place);
    }

    public void DrawTexts(
        SKCanvas canvas, Text text, CornerPlotOptions options, IReadOnlyList<string> names, int rows, int? samples, bool contours,
            string? note)
    {
        if (!string.IsNullOrEmpty(options.Title))
            text.DrawFitted(canvas, options.Title, Width / 2f, TitleHeight / 2f, Charts.TitleSize, SKTextAlign.Center, Width - 12);
        for (var i = 0; i < count; i++)
        {
            var ((planeX, _), (_, planeY)) = (Panel(count - 1, i), Panel(i, 0));
            text.DrawFitted(canvas, With(names[i], x[i]), planeX + panel / 2f, Panel(count - 1, i).Y + panel + TickRow + LabelSize / 2f - 2,
                Charts.TextSize, SKTextAlign.Center, panel);
            if (i > 0) text.DrawUpwards(canvas, With(names[i], y[i]), LabelSize / 2f, planeY + panel / 2f, Charts.TextSize, panel);
        }
        DrawLegend(canvas, text, options, rows, samples, contours);
        if (note is not null)
            text.DrawFitted(canvas, note, left, Height - NoteHeight / 2f, Charts.TickSize, SKTextAlign.Left, Width - left - 6);
    }

    /// <summary>In the empty corner, or above the panel if there is none.</summary>
    private void DrawLegend(SKCanvas canvas, Text text, CornerPlotOptions options, int rows, int? samples, bool contours)
    {
        var legend = new Legend().Area(string.Create(CultureInfo.InvariantCulture, $"{options.DataLabel} ({rows})"),
            Palette.First.WithAlpha(0.3), Palette.First);
        if (samples is { } number)
            legend.Line(string.Create(CultureInfo.InvariantCulture, $"{options.SamplesLabel} ({number})"), Palette.Second, Palette.Dashed);
        var from = count == 1 ? 6 : Panel(0, Math.Max(1, count / 2)).X;
        var top = count == 1 ? head - LegendHeight : head;
        var height = legend.Draw(canvas, text, from, Width - 6, top, Charts.TextSize);
        if (contours)
            text.DrawFitted(canvas, "contours hold 50 % and 90 %", (from + Width - 6) / 2f, top + height + 0.8f * Charts.TickSize,
                Charts.TickSize, SKTextAlign.Center, Width - 6 - from);
    }

    private static string With(string name, Ticks ticks) => ticks.Offset is null ? name : $"{name}  ({ticks.Offset})";
}
