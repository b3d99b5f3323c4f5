using System.Buffers.Binary;
using System.Text;
using RealNvp.Plotting;
using SkiaSharp;

namespace RealNvp.Tests.Plotting;

/// <summary>Reads a picture back from its PNG bytes.</summary>
internal static class Png
{
    public static SKBitmap Decode(Picture picture)
    {
        var bitmap = SKBitmap.Decode(picture.ToPng());
        bitmap.Width.Should().Be(picture.Width);
        bitmap.Height.Should().Be(picture.Height);
        return bitmap;
    }

    /// <summary>The names of the parts of a PNG file, in order.</summary>
    public static IEnumerable<string> Chunks(byte[] png)
    {
        for (var at = 8; at + 8 <= png.Length; at += 12 + BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(at)))
            yield return Encoding.ASCII.GetString(png, at + 4, 4);
    }

    /// <summary>The number of pixels of a part of the picture that are dark and grey, as text is.</summary>
    public static int DarkPixels(this SKBitmap bitmap, int left, int top, int right, int bottom) =>
        bitmap.Count(left, top, right, bottom, c => c.Red < 110 && Math.Abs(c.Red - c.Blue) < 40 && Math.Abs(c.Red - c.Green) < 40);

    public static int Count(this SKBitmap bitmap, Func<SKColor, bool> wanted) => bitmap.Count(0, 0, bitmap.Width, bitmap.Height, wanted);

    public static int Count(this SKBitmap bitmap, int left, int top, int right, int bottom, Func<SKColor, bool> wanted)
    {
        var count = 0;
        for (var y = top; y < bottom; y++)
            for (var x = left; x < right; x++)
                if (wanted(bitmap.GetPixel(x, y))) count++;
        return count;
    }
}
