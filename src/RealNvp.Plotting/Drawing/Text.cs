using SkiaSharp;

namespace RealNvp.Plotting;

/// <summary>Draws and measures single lines of text with the embedded font.</summary>
internal sealed class Text : IDisposable
{
    // down to this share of its size a text is made smaller before it is cut
    private const float Smallest = 0.8f;

    private readonly SKTypeface typeface = TextFont.NewTypeface();

    public float Width(string text, float size)
    {
        using var font = Font(size);
        return font.MeasureText(text);
    }

    /// <summary>The text and a size with which it is no wider than <paramref name="room"/>: smaller, and cut if that does not do.</summary>
    public (string Text, float Size) Fit(string text, float size, float room)
    {
        var wide = Width(text, size);
        if (wide <= room) return (text, size);
        size *= Math.Max(Smallest, room / wide);
        if (Width(text, size) <= room + 0.5f) return (text, size);
        var (fits, tooLong) = (0, text.Length);
        while (tooLong - fits > 1)
        {
            var middle = (fits + tooLong) / 2;
            if (Width(Cut(text, middle), size) <= room) fits = middle;
            else tooLong = middle;
        }
        return (Cut(text, fits), size);
    }

    /// <summary>Draws <paramref name="text"/> with its middle line at <paramref name="middle"/>.</summary>
    public void Draw(SKCanvas canvas, string text, float x, float middle, float size, SKTextAlign align, SKColor? color = null)
    {
        using var font = Font(size);
        using var paint = new SKPaint { Color = color ?? Palette.Text, IsAntialias = true };
        // 0.73 em is the height of a capital letter of DejaVu Sans
        canvas.DrawText(text, x, middle + 0.365f * size, align, font, paint);
    }

    /// <summary>Draws a text that is made to fit into <paramref name="room"/>.</summary>
    public void DrawFitted(SKCanvas canvas, string text, float x, float middle, float size, SKTextAlign align, float room)
    {
        var (fitted, smaller) = Fit(text, size, room);
        Draw(canvas, fitted, x, middle, smaller, align);
    }

    /// <summary>Draws a text that runs upwards, around its middle.</summary>
    public void DrawUpwards(SKCanvas canvas, string text, float middleX, float middleY, float size, float room)
    {
        canvas.Save();
        canvas.Translate(middleX, middleY);
        canvas.RotateDegrees(-90);
        DrawFitted(canvas, text, 0, 0, size, SKTextAlign.Center, room);
        canvas.Restore();
    }

    public void Dispose() => typeface.Dispose();

    // no half of a pair of surrogates stays
    private static string Cut(string text, int length) =>
        text[..(length > 0 && char.IsHighSurrogate(text[length - 1]) ? length - 1 : length)].TrimEnd() + "…";

    private SKFont Font(float size) =>
        new(typeface, size) { Subpixel = true, Edging = SKFontEdging.Antialias, Hinting = SKFontHinting.None, LinearMetrics = true };
}
