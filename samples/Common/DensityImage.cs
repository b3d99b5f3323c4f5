using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Samples.Common;

/// <summary>Densities of the plane as small colour images, for sheets of many of them.</summary>
/// <remarks>Every method returns a new tensor that the caller disposes.</remarks>
public static class DensityImage
{
    // few shades between two colours make a small file, and nobody sees them
    private const int Shades = 6;

    // nine of the colours of viridis, as in the other pictures
    private static readonly float[][] colours =
    [
        [0.267f, 0.005f, 0.329f], [0.283f, 0.141f, 0.458f], [0.254f, 0.265f, 0.530f], [0.207f, 0.372f, 0.553f], [0.164f, 0.471f, 0.558f],
        [0.128f, 0.567f, 0.551f], [0.267f, 0.749f, 0.441f], [0.627f, 0.857f, 0.225f], [0.993f, 0.906f, 0.144f],
    ];

    /// <summary>The density of many points in each cell of a square around the origin, (pixels, pixels) from the lower left.</summary>
    /// <param name="points">(N, 2), float32, on the CPU.</param>
    /// <param name="half">Half the length of a side of the square.</param>
    /// <param name="pixels">The number of cells along a side.</param>
    public static Tensor Histogram(Tensor points, double half, int pixels)
    {
        ArgumentNullException.ThrowIfNull(points);
        var values = points.data<float>().ToArray();
        var cells = new float[pixels, pixels];
        var size = 2 * half / pixels;
        for (var i = 0; i < values.Length; i += 2)
        {
            var (column, row) = ((int)Math.Floor((values[i] + half) / size), (int)Math.Floor((values[i + 1] + half) / size));
            if (column >= 0 && column < pixels && row >= 0 && row < pixels)
                cells[row, column] += (float)(1 / (values.Length / 2 * size * size));
        }
        return tensor(cells);
    }

    /// <summary>The density that is as bright as the brightest colour: all but 0.5 % of the cells have less.</summary>
    /// <param name="density">(rows, columns).</param>
    public static float Brightest(Tensor density)
    {
        ArgumentNullException.ThrowIfNull(density);
        using var scope = NewDisposeScope();
        return density.flatten().sort(descending: true).Values[density.numel() / 200].item<float>();
    }

    /// <summary>Colours, (3, rows, columns) from the top, in 0 ... 1: dark violet over green to yellow.</summary>
    /// <param name="density">(rows, columns) from the lower left, float32.</param>
    /// <param name="brightest">The density that is yellow; what is above it is, too.</param>
    public static Tensor Coloured(Tensor density, float brightest)
    {
        ArgumentNullException.ThrowIfNull(density);
        using var scope = NewDisposeScope();
        var part = density.div(brightest).clamp(0, 1).flip(0).mul((colours.Length - 1) * Shades).round().div(Shades);
        var low = part.floor().clamp_max(colours.Length - 2);
        var weight = part - low;
        var stops = tensor(colours.SelectMany(c => c).ToArray(), colours.Length, 3);
        Tensor At(Tensor index) => stops.index_select(0, index.to(int64).flatten()).reshape([.. density.shape, 3]);
        return At(low).lerp(At(low + 1), weight.unsqueeze(2)).permute(2, 0, 1).contiguous().MoveToOuterDisposeScope();
    }
}
