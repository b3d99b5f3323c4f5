using SkiaSharp;

namespace RealNvp.Plotting;

/// <summary>The colours of all pictures: two that colour-blind readers tell apart, and greys.</summary>
internal static class Palette
{
    public static readonly SKColor Background = SKColors.White;
    public static readonly SKColor Text = new(0x22, 0x26, 0x2E);
    public static readonly ScottPlot.Color First = ScottPlot.Color.FromHex("#1F5FA8");
    public static readonly ScottPlot.Color Second = ScottPlot.Color.FromHex("#E07B1A");
    public static readonly ScottPlot.Color Third = ScottPlot.Color.FromHex("#0E8A6D");
    public static readonly ScottPlot.Color Ink = ScottPlot.Color.FromHex("#22262E");
    public static readonly ScottPlot.Color Frame = ScottPlot.Color.FromHex("#9AA1AC");
    public static readonly ScottPlot.Color GridLine = ScottPlot.Color.FromHex("#E6E8EC");
}
