using System.Globalization;
using ScottPlot;
using ScottPlot.TickGenerators;
using SkiaSharp;

namespace RealNvp.Plotting;

/// <summary>The common look of every chart.</summary>
internal static class Charts
{
    public const float TextSize = 14;
    public const float TitleSize = 17;
    private const int Edge = 6;

    /// <summary>A plot in the common look, with the embedded font; the caller adds the data, then calls <see cref="Finish"/>.</summary>
    public static Plot New(string? title, string? xLabel, string? yLabel)
    {
        var plot = new Plot();
        plot.FigureBackground.Color = Colors.White;
        plot.DataBackground.Color = Colors.White;
        plot.Grid.MajorLineColor = Palette.GridLine;
        plot.Axes.Bottom.TickGenerator = NewTicks(44);
        plot.Axes.Left.TickGenerator = NewTicks(32);
        if (!string.IsNullOrEmpty(title)) plot.Title(title, TitleSize);
        if (!string.IsNullOrEmpty(xLabel)) plot.XLabel(xLabel, TextSize);
        if (!string.IsNullOrEmpty(yLabel)) plot.YLabel(yLabel, TextSize);
        return plot;
    }

    /// <summary>Ticks with numbers that every machine writes alike.</summary>
    public static NumericAutomatic NewTicks(int spacing) => new()
    {
        MinimumTickSpacing = spacing,
        LabelFormatter = value => Math.Abs(value) < 1e-12 ? "0"
            : value.ToString(Math.Abs(value) is >= 1e6 or < 1e-3 ? "0.####E+0" : "0.######", CultureInfo.InvariantCulture),
    };

    /// <summary>Sets font and colours of everything that carries text. It goes last: it sees only what is there.</summary>
    public static void Finish(Plot plot)
    {
        foreach (var axis in plot.Axes.GetAxes())
        {
            axis.FrameLineStyle.Color = Palette.Frame;
            axis.MajorTickStyle.Color = Palette.Frame;
            axis.MinorTickStyle.Length = 0;
            axis.TickLabelStyle.FontName = TextFont.Name;
            axis.TickLabelStyle.FontSize = TextSize - 2;
            axis.TickLabelStyle.ForeColor = Palette.Ink;
            Style(axis.Label);
        }
        Style(plot.Axes.Title.Label);
        plot.Legend.FontName = TextFont.Name;
        plot.Legend.FontSize = TextSize - 1;
        plot.Legend.FontColor = Palette.Ink;
        plot.Legend.OutlineColor = Palette.GridLine;
        plot.Legend.ShadowColor = Colors.Transparent;
        plot.Legend.BackgroundColor = Colors.White.WithAlpha(0.9);
    }

    /// <summary>Finishes the plot and draws it over the whole picture, with a little space at the edges.</summary>
    public static void Draw(SKCanvas canvas, Plot plot, int width, int height) =>
        Draw(canvas, plot, new PixelRect(Edge, width - Edge, height - Edge, Edge));

    /// <summary>Finishes the plot and draws it into a part of the picture.</summary>
    public static void Draw(SKCanvas canvas, Plot plot, PixelRect place)
    {
        Finish(plot);
        canvas.Save();
        canvas.ClipRect(new SKRect(place.Left, place.Top, place.Right, place.Bottom));
        plot.Render(canvas, place);
        canvas.Restore();
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
