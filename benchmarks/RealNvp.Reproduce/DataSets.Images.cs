using RealNvp.Samples.Common;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Reproduce;

// densities in the plane, and images
internal static partial class DataSets
{
    /// <summary>Six densities in the plane; the name is that of <see cref="Toy2D.All"/>.</summary>
    public static IReadOnlyList<DataSet> TwoD { get; } = [.. Toy2D.All.Keys.Order(StringComparer.Ordinal).Select(name =>
        new DataSet(name, TwoDProtocol, [], _ =>
            new(Toy2D.All[name](100_000, 0), Toy2D.All[name](2_000, 1), Toy2D.All[name](5_000, 2))))];

    private const string TwoDProtocol = "Points of a density in the plane.";

    public static DataSet Digits { get; } = new("Digits 8×8",
        "The 1,797 digits of UCI that come with the samples, 17 grey levels: a fifth for the test, 150 of the others to validate. Each " +
        "model has 1 minute of one thread, or fewer if validation stopped it: batches of 64, Adam at 1e-3, averaged weights. " +
        "Models that see a vector of 64 numbers know nothing of neighbours.",
        [], _ => Images(SampleData.Digits, 150, int.MaxValue))
    { InBits = true, Picture = GridPictures.DigitsPicture };

    public static DataSet Mnist { get; } = new("MNIST",
        "28×28 bytes: the last 10,000 of the 60,000 training images are not trained on, and 2,000 of them validate; the 10,000 test " +
        "images test.",
        [.. new[] { "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz" }
            .Select(f => $"mnist/{f}")], folder => Images(Path.Combine(folder, "mnist"), 10_000, 2_000))
    { InBits = true, Origin = "They are the files of LeCun, Cortes and Burges, such as of https://github.com/cvdfoundation/mnist." };

    public static DataSet Cifar10 { get; } = new("CIFAR-10",
        "32×32 colour images of bytes: the last 5,000 of the 50,000 training images are for the test, 2,000 before them validate.",
        [.. Enumerable.Range(1, 5).Select(i => $"cifar10/data_batch_{i}.bin.br")],
        folder => Images(Path.Combine(folder, "cifar10"), 2_000, int.MaxValue))
    { InBits = true, Origin = "They are the binary batches of https://www.cs.toronto.edu/~kriz/cifar.html, as brotli." };

    // the last so many images that are not for the test are held out, of which some validate
    private static Splits Images(string folder, int held, int validate)
    {
        using var split = ImageFolder.Open(folder);
        var first = split.Train.Count - held;
        using var train = split.Train.Images.narrow(0, 0, first);
        using var validation = split.Train.Images.narrow(0, first, Math.Min(held, validate));
        return new(train.clone(), validation.clone(), split.Test.Images.clone());
    }
}
