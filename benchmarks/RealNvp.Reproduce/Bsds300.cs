using RealNvp.Samples.Common;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Reproduce;

/// <summary>Patches of the Berkeley segmentation images, by the protocol of RNADE (Uria et al., NIPS 2013) and MAF (arXiv 1705.07057,
/// appendix D).</summary>
internal static class Bsds300
{
    private const int Side = 8;

    public static Splits Load(string folder) => Load(folder, 500_000, 50_000, 250_000);

    /// <summary>Fixed patches of all three parts, and any number of others of the images to train on.</summary>
    public static Splits Load(string folder, int train, int validation, int test)
    {
        var images = Images.Read(folder, "train");
        return new(images.Patches(train, 1), Images.Read(folder, "validation").Patches(validation, 2),
            Images.Read(folder, "test").Patches(test, 3)) { Draw = (seed, count) => images.Patches(count, seed) };
    }

    /// <summary>The images of a part, upright ones transposed.</summary>
    private sealed record Images(byte[] Pixels, int Rows, int Columns, bool[] Transposed)
    {
        public static Images Read(string folder, string part)
        {
            var transposed = File.ReadLines(Path.Combine(folder, "bsds300", "images.tsv")).Skip(1).Select(l => l.Split('\t'))
                .Where(l => l[0] == part).Select(l => l[3].Contains("transposed", StringComparison.Ordinal)).ToArray();
            using var images = IdxFile.Read(Path.Combine(folder, "bsds300", $"images-{part}-idx3-ubyte.br"));
            if (images.shape[0] != transposed.Length)
                throw new InvalidDataException(
                    $"images.tsv names {transposed.Length} images of {part}, and the file has {images.shape[0]}.");
            return new(images.bytes.ToArray(), (int)images.shape[1], (int)images.shape[2], transposed);
        }

        public Tensor Patches(int count, int seed)
        {
            var random = new Random(seed);
            var values = new float[count * ((Side * Side) - 1)];
            Span<double> patch = stackalloc double[Side * Side];
            for (var i = 0; i < count; i++)
            {
                var image = random.Next(Transposed.Length);
                var (top, left) = (random.Next(Rows - Side + 1), random.Next(Columns - Side + 1));
                double mean = 0;
                for (var row = 0; row < Side; row++)
                    for (var column = 0; column < Side; column++)
                    {
                        var (r, c) = Transposed[image] ? (column, row) : (row, column);
                        var value = (Pixels[(((image * Rows) + top + r) * Columns) + left + c] + random.NextDouble()) / 256;
                        patch[(row * Side) + column] = value;
                        mean += value / (Side * Side);
                    }
                for (var k = 0; k < (Side * Side) - 1; k++) values[(i * ((Side * Side) - 1)) + k] = (float)(patch[k] - mean);
            }
            return tensor(values, [count, (Side * Side) - 1]);
        }
    }
}
