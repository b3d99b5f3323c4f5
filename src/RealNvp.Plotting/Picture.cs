using System.Text;
using SkiaSharp;

namespace RealNvp.Plotting;

/// <summary>A picture that is ready to be drawn, as PNG, SVG or HTML: into
/// a file, a stream or memory. Notebooks show it by themselves.</summary>
/// <remarks>
/// A picture copies the numbers that it shows when it is made, and keeps no tensor.
/// The caller may dispose its tensors as soon as the constructor has returned; there is nothing to dispose here.
/// The text is drawn with a font that is part of this library, so no font has to be installed, and the bytes are the same on every machine
/// with the same version of SkiaSharp. Drawing one picture from several threads is safe.
/// </remarks>
[TypeFormatterSource(typeof(PictureFormatterSource))]
public abstract class Picture
{
    // an image on a page is drawn with two pixels for each of its own, for sharp screens, if that is not very large
    private const long MaxSharpPixels = 10_000_000;

    private protected Picture(int width, int height)
    {
        Check.PictureSize(width, height);
        (Width, Height) = (width, height);
    }

    /// <summary>The width in pixels.</summary>
    public int Width { get; }

    /// <summary>The height in pixels.</summary>
    public int Height { get; }

    /// <summary>What the picture shows, in a sentence or two with its main
    /// numbers, for readers who cannot see it. SVG and HTML carry it.</summary>
    public string AltText => Describe();

    /// <summary>Draws the picture and returns it as the bytes of a PNG file.</summary>
    public byte[] ToPng() => ToPng(1);

    /// <summary>Draws the picture and returns it as the text of an SVG file, which needs no other file.</summary>
    public string ToSvg()
    {
        using var bytes = new MemoryStream();
        lock (TextFont.Gate)
        {
            TextFont.Register();
            using var canvas = SKSvgCanvas.Create(SKRect.Create(Width, Height), bytes);
            canvas.Clear(Palette.Background);
            Draw(canvas);
        }
        return SvgText.Finish(Encoding.UTF8.GetString(bytes.ToArray()), Width, Height, AltText);
    }

    /// <summary>Draws the picture and returns it as an HTML page, which needs no other file and has <see cref="AltText"/>.</summary>
    public string ToHtml() => HtmlPage.Of(this, ToPng((long)Width * Height > MaxSharpPixels ? 1 : 2));

    /// <summary>Writes the picture to a file in the format that the name says: .png,
    /// .svg, .html or .htm. A file that is already there is replaced.</summary>
    /// <param name="path">The file. A folder that does not exist yet is made.</param>
    /// <exception cref="ArgumentException"><paramref name="path"/> is empty, or
    /// its extension is another one; nothing is written.</exception>
    public void Save(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        var extension = Path.GetExtension(path);
        switch (extension.ToUpperInvariant())
        {
            case ".PNG": SavePng(path); break;
            case ".SVG": SaveSvg(path); break;
            case ".HTML" or ".HTM": SaveHtml(path); break;
            default:
                throw new ArgumentException(
                    $"The file '{path}' has {(extension.Length == 0 ? "no extension" : $"the extension '{extension}'")}; expected .png, " +
                        $".svg, .html or "
                    + ".htm. SavePng, SaveSvg and SaveHtml take any name.", nameof(path));
        }
    }

    /// <summary>Writes the picture to a PNG file. A file that is already there is replaced.</summary>
    /// <param name="path">The file. A folder that does not exist yet is made.</param>
    /// <exception cref="ArgumentException"><paramref name="path"/> is empty.</exception>
    public void SavePng(string path) => Write(path, ToPng);

    /// <summary>Writes the picture to an SVG file. A file that is already there is replaced.</summary>
    /// <inheritdoc cref="SavePng(string)"/>
    public void SaveSvg(string path) => Write(path, () => Encoding.UTF8.GetBytes(ToSvg()));

    /// <summary>Writes the picture to an HTML file. A file that is already there is replaced.</summary>
    /// <inheritdoc cref="SavePng(string)"/>
    public void SaveHtml(string path) => Write(path, () => Encoding.UTF8.GetBytes(ToHtml()));

    /// <summary>Writes the picture to a stream as PNG, from where the stream is. The stream stays open.</summary>
    /// <param name="stream">A stream that can be written.</param>
    /// <exception cref="ArgumentException">The stream cannot be written.</exception>
    public void SavePng(Stream stream) => Write(stream, ToPng);

    /// <summary>Writes the picture to a stream as SVG in UTF-8, from where the stream is. The stream stays open.</summary>
    /// <inheritdoc cref="SavePng(Stream)"/>
    public void SaveSvg(Stream stream) => Write(stream, () => Encoding.UTF8.GetBytes(ToSvg()));

    /// <summary>Writes the picture to a stream as an HTML page in UTF-8, from where the stream is. The stream stays open.</summary>
    /// <inheritdoc cref="SavePng(Stream)"/>
    public void SaveHtml(Stream stream) => Write(stream, () => Encoding.UTF8.GetBytes(ToHtml()));

    private protected abstract void Draw(SKCanvas canvas);

    private protected abstract string Describe();

    private byte[] ToPng(int scale)
    {
        using var surface = SKSurface.Create(new SKImageInfo(scale * Width, scale * Height, SKColorType.Rgba8888, SKAlphaType.Premul))
            ?? throw new InvalidOperationException($"No memory for a picture of {scale * Width} x {scale * Height} pixels.");
        // ScottPlot keeps its list of fonts for the whole process, without a lock
        lock (TextFont.Gate)
        {
            TextFont.Register();
            surface.Canvas.Clear(Palette.Background);
            surface.Canvas.Scale(scale);
            Draw(surface.Canvas);
        }
        using var image = surface.Snapshot();
        using var png = image.Encode(SKEncodedImageFormat.Png, 100);
        return png.ToArray();
    }

    private static void Write(string path, Func<byte[]> bytes)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        // drawn first: an error leaves a file as it was
        var all = bytes();
        var folder = Path.GetDirectoryName(Path.GetFullPath(path));
        if (folder is not null) Directory.CreateDirectory(folder);
        File.WriteAllBytes(path, all);
    }

    private static void Write(Stream stream, Func<byte[]> bytes)
    {
        ArgumentNullException.ThrowIfNull(stream);
        if (!stream.CanWrite)
            throw new ArgumentException("The stream cannot be written; expected one that is open for writing.", nameof(stream));
        stream.Write(bytes());
    }
}
