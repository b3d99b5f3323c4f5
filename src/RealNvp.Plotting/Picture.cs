using ScottPlot;
using SkiaSharp;

namespace RealNvp.Plotting;

/// <summary>A picture that is ready to be drawn: it can be saved as a PNG file or handed over as PNG bytes.</summary>
/// <remarks>
/// A picture copies the numbers that it shows when it is made, and keeps no tensor.
/// The caller may dispose its tensors as soon as the constructor has returned; there is nothing to dispose here.
/// The text is drawn with a font that is part of this library, so no font has to be installed.
/// Drawing one picture from several threads is safe.
/// </remarks>
[TypeFormatterSource(typeof(PictureFormatterSource))]
public abstract class Picture
{
    private protected Picture(int width, int height)
    {
        Check.PictureSize(width, height);
        (Width, Height) = (width, height);
    }

    /// <summary>The width in pixels.</summary>
    public int Width { get; }

    /// <summary>The height in pixels.</summary>
    public int Height { get; }

    /// <summary>Draws the picture and returns it as the bytes of a PNG file, for example to show it in a notebook.</summary>
    public byte[] ToPng()
    {
        using var surface = SKSurface.Create(new SKImageInfo(Width, Height, SKColorType.Rgba8888, SKAlphaType.Premul))
            ?? throw new InvalidOperationException($"No memory for a picture of {Width} x {Height} pixels.");
        // ScottPlot keeps its list of fonts for the whole process, without a lock
        lock (TextFont.Gate)
        {
            TextFont.Register();
            surface.Canvas.Clear(Palette.Background);
            Draw(surface.Canvas);
        }
        using var image = surface.Snapshot();
        using var png = image.Encode(SKEncodedImageFormat.Png, 100);
        return png.ToArray();
    }

    /// <summary>Draws the picture and writes it to a PNG file. A file that is already there is replaced.</summary>
    /// <param name="path">The file; the usual extension is <c>.png</c>. A folder that does not exist yet is made.</param>
    /// <exception cref="ArgumentException"><paramref name="path"/> is empty.</exception>
    public void Save(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        var folder = Path.GetDirectoryName(Path.GetFullPath(path));
        if (folder is not null) Directory.CreateDirectory(folder);
        File.WriteAllBytes(path, ToPng());
    }

    private protected abstract void Draw(SKCanvas canvas);
}
