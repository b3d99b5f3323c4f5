using ScottPlot;
using SkiaSharp;

namespace RealNvp.Plotting;

/// <summary>The colours of all pictures: those of Okabe and Ito, which colour-blind readers tell apart, and greys.</summary>
internal static class Palette
{
    public static readonly SKColor Background = SKColors.White;
    public static readonly SKColor Text = new(0x22, 0x26, 0x2E);
    public static readonly Color First = Color.FromHex("#0072B2");
    public static readonly Color Second = Color.FromHex("#D55E00");
    public static readonly Color Third = Color.FromHex("#009E73");
    public static readonly Color Ink = Color.FromHex("#22262E");
    public static readonly Color Frame = Color.FromHex("#9AA1AC");
    public static readonly Color GridLine = Color.FromHex("#E6E8EC");
    public static readonly Color Band = Color.FromHex("#DDE1E7");

    private static readonly Color[] Cycle =
        [First, Second, Third, Color.FromHex("#CC79A7"), Color.FromHex("#E69F00"), Color.FromHex("#56B4E9"), Color.FromHex("#22262E")];

    private static readonly LinePattern[] Patterns = [LinePattern.Solid, LinePattern.Dashed, LinePattern.Dotted, LinePattern.DenselyDashed];

    /// <summary>The colour of the series with a number, and a pattern that is
    /// another one for each, so that no reader needs the colour.</summary>
    public static (Color Color, LinePattern Pattern) Series(int index) => (Cycle[index % Cycle.Length], Patterns[index % Patterns.Length]);
}
