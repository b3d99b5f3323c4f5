using RealNvp.Samples.Common;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Reproduce;

/// <summary>Patches of the Berkeley segmentation images, by the protocol of RNADE (Uria et al., NIPS 2013) and MAF (arXiv 1705.07057,
/// appendix D).</summary>
internal static class Bsds300
{
    private const int Side = 8;

    public static Splits Load(string folder) => Load(folder, 3_000_000, 50_000, 250_000);

    public static Splits Load(string folder, int train, int validation, int test) =>
        new(Patches(folder, "train", train, 1), Patches(folder, "validation", validation, 2), Patches(folder, "test", test, 3));

    private static Tensor Patches(string folder, string part, int count, int seed)
    {
        var transposed = File.ReadLines(Path.Combine(folder, "bsds300", "images.tsv")).Skip(1).Select(l => l.Split('\t'))
            .Where(l => l[0] == part).Select(l => l[3].Contains("transposed", StringComparison.Ordinal)).ToArray();
        using var images = IdxFile.Read(Path.Combine(folder, "bsds300", $"images-{part}-idx3-ubyte.br"));
        if (images.shape[0] != transposed.Length)
            throw new InvalidDataException($"images.tsv names {transposed.Length} images of {part}, and the file has {images.shape[0]}.");
        var (rows, columns) = ((int)images.shape[1], (int)images.shape[2]);
        var pixels = images.bytes.ToArray();
        var random = new Random(seed);
        var values = new float[count * ((Side * Side) - 1)];
        Span<double> patch = stackalloc double[Side * Side];
        for (var i = 0; i < count; i++)
        {
            var image = random.Next(transposed.Length);
            var (top, left) = (random.Next(rows - Side + 1), random.Next(columns - Side + 1));
            double mean = 0;
            for (var row = 0; row < Side; row++)
                for (var column = 0; column < Side; column++)
                {
                    var (r, c) = transposed[image] ? (column, row) : (row, column);
                    var value = (pixels[(((image * rows) + top + r) * columns) + left + c] + random.NextDouble()) / 256;
                    patch[(row * Side) + column] = value;
                    mean += value / (Side * Side);
                }
            for (var k = 0; k < (Side * Side) - 1; k++) values[(i * ((Side * Side) - 1)) + k] = (float)(patch[k] - mean);
        }
        return tensor(values, [count, (Side * Side) - 1]);
    }
}
