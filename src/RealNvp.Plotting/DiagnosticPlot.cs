using ScottPlot;
using SkiaSharp;

namespace RealNvp.Plotting;

/// <summary>What a diagnostic found, as a picture: the curve that it looks at, and the band that chance allows.</summary>
/// <remarks>
/// <para>Ranks and PIT values: their distribution function less that of uniform values. Of a parameter, a hill says that draws are too
/// high, a valley that they are too low; first above and then below says too narrow, first below and then above too wide.</para>
/// <para>Coverage and TARP: the share of true values in regions of each probability. Below the diagonal regions hold too little: the
/// density is too sure of itself.</para>
/// <para>The band is simultaneous: under a right density the whole curve stays inside with the probability 1 − level.</para>
/// </remarks>
public sealed class DiagnosticPlot : Picture
{
    private const int Edge = 6, TitleHeight = 34, LegendHeight = 30, MaxColumns = 3;

    private readonly DiagnosticPlotOptions options;
    private readonly DiagnosticResult result;
    private readonly DiagnosticPanel[] panels;

    /// <summary>Makes the picture of a result.</summary>
    /// <param name="result">What a method of <see cref="Diagnostics"/> gave.</param>
    /// <param name="options">Title and size; null takes the defaults.</param>
    /// <exception cref="ArgumentNullException"><paramref name="result"/> is null.</exception>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public DiagnosticPlot(DiagnosticResult result, DiagnosticPlotOptions? options = null)
        : this(result, options ?? new(), DiagnosticPanels.Of(result, Checked(options ?? new()))) { }

    private DiagnosticPlot(DiagnosticResult result, DiagnosticPlotOptions options, DiagnosticPanel[] panels)
        : base(Math.Min(panels.Length, MaxColumns) * options.PanelWidth,
            ((panels.Length + MaxColumns - 1) / MaxColumns * options.PanelHeight) + HeadOf(options)) =>
        (this.result, this.options, this.panels) = (result, options, panels);

    private protected override void Draw(SKCanvas canvas)
    {
        using var text = new Text();
        if (!string.IsNullOrEmpty(options.Title))
            text.DrawFitted(canvas, options.Title, Width / 2f, (TitleHeight / 2f) + 2, Charts.TitleSize, SKTextAlign.Center, Width - 12);
        DiagnosticPanels.Legend(result).Draw(canvas, text, 6, Width - 6, HeadOf(options) - LegendHeight, Charts.TextSize - 2);
        for (var i = 0; i < panels.Length; i++)
        {
            var (column, row) = (i % MaxColumns, i / MaxColumns);
            using var plot = panels[i].Plot();
            Charts.Draw(canvas, plot, new PixelRect((column * options.PanelWidth) + Edge, ((column + 1) * options.PanelWidth) - Edge,
                HeadOf(options) + ((row + 1) * options.PanelHeight) - Edge, HeadOf(options) + (row * options.PanelHeight) + Edge),
                panels[i].Title, null, titleSize: Charts.TextSize);
        }
    }

    private protected override string Describe() => Charts.Prefix(options.Title) + result.Words;

    private static int HeadOf(DiagnosticPlotOptions options) => (string.IsNullOrEmpty(options.Title) ? 6 : TitleHeight) + LegendHeight;

    private static DiagnosticPlotOptions Checked(DiagnosticPlotOptions options)
    {
        if (options.PanelWidth is < 200 or > 2000 || options.PanelHeight is < 150 or > 2000)
            throw new ArgumentException(
                $"A panel would be {options.PanelWidth} x {options.PanelHeight} pixels; expected 200 x 150 to 2000 x 2000.",
                nameof(options));
        if (options.MaxPanels is < 1 or > 30)
            throw new ArgumentException($"MaxPanels is {options.MaxPanels}; expected 1 to 30.", nameof(options));
        return options;
    }
}
