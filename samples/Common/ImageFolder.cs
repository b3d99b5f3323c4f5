using System.Text.RegularExpressions;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Samples.Common;

/// <summary>Opens a folder with MNIST, Fashion-MNIST, CIFAR-10 or the 8 x 8 digits. Files may be plain, .gz or .br.</summary>
/// <remarks>
/// | data | files | test part |
/// | --- | --- | --- |
/// | MNIST and alike | train-images-idx3-ubyte, t10k-images-idx3-ubyte, and ...-labels-idx1-ubyte where there are labels | t10k |
/// | CIFAR-10 | data_batch_*.bin, test_batch.bin | test_batch; without it the last 5,000 records, or the last fifth of fewer than 25,000 |
/// | digits | digits-*-idx3-ubyte, digits-labels-idx1-ubyte | a fifth, drawn by a fixed seed |
/// </remarks>
public static partial class ImageFolder
{
    private const int CifarTest = 5_000;
    private const int DigitsSeed = 1, DigitsLevels = 17;

    /// <summary>Reads the data set that lies in a folder, whichever of the known ones it is.</summary>
    /// <param name="path">The folder. Its name becomes the name of an MNIST-like data set.</param>
    /// <returns>Both parts, images uint8 (N, C, H, W) with C = 1 or 3; the caller disposes the split.</returns>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="DataFormatException">The folder holds none of the
    /// known data sets, a part is missing, or a file is broken.</exception>
    public static ImageSplit Open(string path)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        if (!Directory.Exists(path)) throw new DirectoryNotFoundException($"There is no folder {path}.");
        var files = Directory.GetFiles(path).Order(StringComparer.Ordinal).ToArray();
        if (Find(files, TrainImages()) is { } train) return Mnist(path, files, train);
        if (Array.Exists(files, f => CifarBatch().IsMatch(Path.GetFileName(f)))) return Cifar(files);
        if (Find(files, DigitImages()) is { } digits) return Digits(files, digits);
        throw new DataFormatException(
            $"{path} holds no known image data. Expected train-images-idx3-ubyte (MNIST, Fashion-MNIST), data_batch_1.bin (CIFAR-10) or " +
                $"digits-...-idx3-ubyte, "
            + $"each plain, .gz or .br; found " +
                $"{(files.Length == 0 ? "no file" : string.Join(", ", files.Take(8).Select(Path.GetFileName)))}.");
    }

    private static ImageSplit Mnist(string path, string[] files, string train)
    {
        var test = Find(files, TestImages())
            ?? throw new DataFormatException(
            $"{path} holds {Path.GetFileName(train)}, but no t10k-images-idx3-ubyte; both parts are needed.");
        var name = new DirectoryInfo(path).Name;
        var first = Idx(name, train, Find(files, TrainLabels()), 256);
        return new ImageSplit(first, Idx(name, test, Find(files, TestLabels()), 256));
    }

    private static ImageSplit Digits(string[] files, string path)
    {
        using var all = Idx("digits", path, Find(files, DigitLabels()), DigitsLevels);
        var order = Enumerable.Range(0, all.Count).Select(i => (long)i).ToArray();
        // Fisher-Yates, written out: a later runtime may change Random.Shuffle, and this split must stay
        var random = new Random(DigitsSeed);
        for (var i = order.Length - 1; i > 0; i--)
        {
            var j = random.Next(i + 1);
            (order[i], order[j]) = (order[j], order[i]);
        }
        return Split(all, [.. order[..^(all.Count / 5)].Order()], [.. order[^(all.Count / 5)..].Order()], path);
    }

    private static ImageSplit Cifar(string[] files)
    {
        // a batch may lie there twice, plain and compressed
        var batches = files.Where(f => CifarBatch().IsMatch(Path.GetFileName(f))).DistinctBy(f => Path.GetFileName(f).Split('.')[0]);
        using var all = Join([.. batches.Select(Cifar10.Read)]);
        if (Find(files, CifarTestBatch()) is { } test)
            return new ImageSplit(all with { Images = all.Images.alias(), Labels = all.Labels!.alias() }, Cifar10.Read(test));
        var held = Math.Min(CifarTest, all.Count / 5);
        return Split(all, Range(0, all.Count - held), Range(all.Count - held, held), files[0]);
    }

    private static long[] Range(int start, int count) => [.. Enumerable.Range(start, count).Select(i => (long)i)];

    private static ImageSplit Split(ImageDataset all, long[] train, long[] test, string path) => test.Length == 0
        ? throw new DataFormatException($"{path}: {all.Count} images are too few to hold a part out; expected at least 5.")
        : new ImageSplit(all.Select(train), all.Select(test));

    private static ImageDataset Join(ImageDataset[] parts)
    {
        if (parts.Length == 1) return parts[0];
        var joined = parts[0] with { Images = cat([.. parts.Select(p => p.Images)]), Labels = cat([.. parts.Select(p => p.Labels!)]) };
        foreach (var part in parts) part.Dispose();
        return joined;
    }

    private static ImageDataset Idx(string name, string path, string? labelsPath, int levels)
    {
        using var scope = NewDisposeScope();
        var images = IdxFile.Read(path);
        if (images.Dimensions != 3)
            throw new DataFormatException($"{path} has {images.Dimensions} dimensions; images have 3: count, height, width.");
        if (levels < 256 && images.max().ToInt64() is var max && max >= levels)
            throw new DataFormatException($"{path} holds the value {max}; expected 0 to {levels - 1}.");
        var labels = labelsPath is null ? null : IdxFile.Read(labelsPath);
        if (labels is not null && (labels.Dimensions != 1 || labels.size(0) != images.size(0)))
            throw new DataFormatException(
                $"{labelsPath} has the shape ({string.Join(", ", labels.shape)}); expected one label for each of the {images.size(0)} " +
                $"images of {Path.GetFileName(path)}.");
        return new ImageDataset(name, images.unsqueeze(1).MoveToOuterDisposeScope(), labels?.to(int64).MoveToOuterDisposeScope(), levels);
    }

    private static string? Find(string[] files, Regex name) => Array.Find(files, f => name.IsMatch(Path.GetFileName(f)));

    [GeneratedRegex(@"^train-images[-.]idx3-ubyte(\.gz|\.br)?$")] private static partial Regex TrainImages();
    [GeneratedRegex(@"^train-labels[-.]idx1-ubyte(\.gz|\.br)?$")] private static partial Regex TrainLabels();
    [GeneratedRegex(@"^t10k-images[-.]idx3-ubyte(\.gz|\.br)?$")] private static partial Regex TestImages();
    [GeneratedRegex(@"^t10k-labels[-.]idx1-ubyte(\.gz|\.br)?$")] private static partial Regex TestLabels();
    [GeneratedRegex(@"^data_batch_\d+\.bin(\.gz|\.br)?$")] private static partial Regex CifarBatch();
    [GeneratedRegex(@"^test_batch\.bin(\.gz|\.br)?$")] private static partial Regex CifarTestBatch();
    [GeneratedRegex(@"^digits-\d.*idx3-ubyte(\.gz|\.br)?$")] private static partial Regex DigitImages();
    [GeneratedRegex(@"^digits-labels-idx1-ubyte(\.gz|\.br)?$")] private static partial Regex DigitLabels();
}
