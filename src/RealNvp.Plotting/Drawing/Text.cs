using SkiaSharp;

namespace RealNvp.Plotting;

/// <summary>Draws and measures single lines of text with the embedded font.</summary>
internal sealed class Text : IDisposable
{
    private readonly SKTypeface typeface = TextFont.NewTypeface();

    public float Width(string text, float size)
    {
        using var font = Font(size);
        return font.MeasureText(text);
    }

    /// <summary>Draws <paramref name="text"/> with its middle line at <paramref name="middle"/>.</summary>
    public void Draw(SKCanvas canvas, string text, float x, float middle, float size, SKTextAlign align, SKColor? color = null)
    {
        using var font = Font(size);
        using var paint = new SKPaint { Color = color ?? Palette.Text, IsAntialias = true };
        // 0.73 em is the height of a capital letter of DejaVu Sans
        canvas.DrawText(text, x, middle + 0.365f * size, align, font, paint);
    }

    public void Dispose() => typeface.Dispose();

    private SKFont Font(float size) => new(typeface, size) { Subpixel = true, Edging = SKFontEdging.Antialias };
}
