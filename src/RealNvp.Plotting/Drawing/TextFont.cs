using ScottPlot;
using SkiaSharp;

namespace RealNvp.Plotting;

/// <summary>The font that is embedded in this library, for Skia and for ScottPlot.</summary>
/// <remarks>
/// Skia's Linux library without dependencies has no fontconfig: on a machine without fonts its default typeface has no
/// glyphs and text is not drawn, without any error. So no text here depends on the machine.
/// </remarks>
internal sealed class TextFont : IFontResolver
{
    /// <summary>A name that no installed font has, so that ScottPlot asks this resolver and nobody else's plots change.</summary>
    public const string Name = "RealNvp.Plotting DejaVu Sans";

    public static readonly Lock Gate = new();
    private static readonly TextFont Resolver = new();
    private static readonly Lazy<SKData> Bytes = new(Load);

    private TextFont() { }

    /// <summary>Makes ScottPlot know the font; the caller holds <see cref="Gate"/>.</summary>
    public static void Register()
    {
        // again at each picture: the application may have reset ScottPlot's list
        if (!Fonts.FontResolvers.Contains(Resolver)) Fonts.FontResolvers.Insert(0, Resolver);
    }

    /// <summary>A new typeface, which the caller disposes.</summary>
    public static SKTypeface NewTypeface() =>
        SKTypeface.FromData(Bytes.Value) ?? throw new InvalidOperationException("Skia cannot read the embedded font DejaVuSans.ttf.");

    SKTypeface? IFontResolver.CreateTypeface(string fontName, FontWeight weight, FontSlant slant, FontSpacing spacing) =>
        fontName == Name ? NewTypeface() : null;

    SKTypeface? IFontResolver.CreateTypeface(string fontName, bool bold, bool italic) =>
        fontName == Name ? NewTypeface() : null;

    private static SKData Load()
    {
        using var stream = typeof(TextFont).Assembly.GetManifestResourceStream("RealNvp.Plotting.DejaVuSans.ttf")
            ?? throw new InvalidOperationException("The embedded font DejaVuSans.ttf is missing from RealNvp.Plotting.dll.");
        return SKData.Create(stream);
    }
}
