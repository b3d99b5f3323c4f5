using System.Globalization;
using SkiaSharp;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Plotting;

/// <summary>A batch of images, side by side in rows and columns.</summary>
/// <example>
/// <code>
/// using var samples = flow.Sample(64);                                   // (64, 1, 8, 8), values 0 to 16
/// new ImageGrid(samples, new() { Columns = 8, Levels = 17 }).Save("samples.png");
/// </code>
/// </example>
public sealed class ImageGrid : Picture
{
    private readonly GridLayout layout;
    private readonly ImageGridOptions options;
    private readonly byte[] values;
    private readonly int channels;

    /// <summary>Makes the picture of a batch of images. Images fill the rows from left to right, from the top down.</summary>
    /// <param name="images">
    /// Shape (N, C, H, W) with C = 1 (grey) or C = 3 (red, green, blue), or (N, H, W) for grey; N, H and W at least 1.
    /// Any real dtype, any device. It is only read.
    /// </param>
    /// <param name="options">The layout and the value range; null takes the defaults.</param>
    /// <exception cref="ArgumentNullException"><paramref name="images"/> is null.</exception>
    /// <exception cref="ArgumentException">
    /// The shape is another one, a value is NaN or infinite, no value range is known (a floating dtype without
    /// <see cref="ImageGridOptions.Levels"/> and <see cref="ImageGridOptions.Range"/>), an option is outside its range,
    /// the number of titles is not the number of rows or columns, or the picture would be too large.
    /// </exception>
    public ImageGrid(Tensor images, ImageGridOptions? options = null)
        : this(images, options ?? new(), GridLayout.Of(images, options ?? new())) { }

    private ImageGrid(Tensor images, ImageGridOptions options, GridLayout layout) : base(layout.Width, layout.Height)
    {
        (this.layout, this.options) = (layout, options);
        channels = images.Dimensions == 4 ? (int)images.size(1) : 1;
        var (low, high) = ValueRange(images, options);
        var numbers = Check.Numbers(images, nameof(images));
        Check.Finite(numbers, nameof(images));
        values = Array.ConvertAll(numbers, v => (byte)Math.Round(255 * Math.Clamp((v - low) / (high - low), 0, 1)));
    }

    private protected override string Describe() => Charts.Prefix(options.Title) + string.Create(CultureInfo.InvariantCulture,
        $"A grid of {layout.Count} {(channels == 3 ? "colour" : "grey")} images of {layout.ImageHeight} x {layout.ImageWidth} pixels")
        + (options.ColumnTitles is { } columns ? $"; columns: {string.Join(", ", columns)}" : "")
        + (options.RowTitles is { } rows ? $"; rows: {string.Join(", ", rows)}." : ".");

    private protected override void Draw(SKCanvas canvas)
    {
        for (var i = 0; i < layout.Count; i++)
        {
            using var image = Image(i);
            canvas.DrawImage(image, layout.Cell(i), new SKSamplingOptions(SKFilterMode.Nearest));
        }
        using var text = new Text();
        layout.DrawTitles(canvas, text, options);
    }

    private SKImage Image(int index)
    {
        var size = layout.ImageHeight * layout.ImageWidth;
        var start = index * size * channels;
        var (green, blue) = channels == 3 ? (size, 2 * size) : (0, 0);
        var pixels = new byte[4 * size];
        for (var p = 0; p < size; p++)
        {
            pixels[4 * p] = values[start + p];
            pixels[4 * p + 1] = values[start + green + p];
            pixels[4 * p + 2] = values[start + blue + p];
            pixels[4 * p + 3] = 255;
        }
        return SKImage.FromPixelCopy(new SKImageInfo(layout.ImageWidth, layout.ImageHeight, SKColorType.Rgba8888, SKAlphaType.Opaque),
            pixels);
    }

    private static (double Low, double High) ValueRange(Tensor images, ImageGridOptions options)
    {
        if (options.Range is { } range)
        {
            if (!double.IsFinite(range.Low) || !double.IsFinite(range.High) || range.Low >= range.High)
                throw new ArgumentException($"Range is {range}; expected two finite numbers, the lower one first.", nameof(options));
            return range;
        }
        if (options.Levels < 2) throw new ArgumentException($"Levels is {options.Levels}; expected at least 2.", nameof(options));
        if (options.Levels is null && images.is_floating_point())
            throw new ArgumentException(
                $"The images have dtype {images.dtype}, so the value of white is not known. Set Range, such as (0, 1), or Levels, such " +
                    $"as 256.", nameof(options));
        return (0, (options.Levels ?? (images.dtype == ScalarType.Bool ? 2 : 256)) - 1);
    }
}
