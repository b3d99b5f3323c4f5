using ScottPlot;
using SkiaSharp;

namespace RealNvp.Plotting;

/// <summary>The colours of all pictures: those of Okabe and Ito, which colour-blind readers tell apart, and greys.</summary>
/// <remarks>No reader needs the colour: what has another one has another dash, width or mark as well.</remarks>
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

    /// <summary>The dashes of what is in the second colour: lengths of strokes and gaps in pixels.</summary>
    public static readonly float[] Dashed = [8, 4];

    /// <summary>The dashes of marks that are neither data nor model, such as thresholds.</summary>
    public static readonly float[] Dotted = [2, 3.5f];

    private static readonly Color[] Cycle =
        [First, Second, Third, Color.FromHex("#CC79A7"), Color.FromHex("#E69F00"), Color.FromHex("#56B4E9"), Color.FromHex("#22262E")];

    private static readonly float[]?[] Dashes = [null, Dashed, Dotted, [10, 3, 2, 3]];

    /// <summary>The colour of the series with a number, and dashes.</summary>
    public static (Color Color, float[]? Dashes) Series(int index) => (Cycle[index % Cycle.Length], Dashes[index % Dashes.Length]);
}
