using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Samples.Common;

/// <summary>Reads the binary batches of CIFAR-10: plain, or compressed as .gz or .br.</summary>
/// <remarks>Format: records of 1 label byte (0 to 9) and 3,072 pixel bytes: 32 x 32 red, then green, then blue.</remarks>
public static class Cifar10
{
    private const int Pixels = 3 * 32 * 32, Record = 1 + Pixels;
    private const int MaxRecords = 100_000;

    /// <summary>The names of the ten classes, by label.</summary>
    public static IReadOnlyList<string> ClassNames { get; } = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse",
        "ship", "truck"];

    /// <summary>Reads a whole batch file.</summary>
    /// <param name="path">The file, such as <c>data_batch_1.bin</c>. An ending of .gz or .br means gzip or brotli.</param>
    /// <returns>The images, uint8 (N, 3, 32, 32), and their labels, int64 (N). The caller disposes the data set.</returns>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="DataFormatException">The length is no whole number of records from 1 to 100,000, or a label is above 9.</exception>
    public static ImageDataset Read(string path) => ByteSource.Read(path, stream =>
    {
        var bytes = ByteSource.UpTo(stream, (long)MaxRecords * Record + 1);
        if (bytes.Count == 0 || bytes.Count % Record != 0 || bytes.Count / Record > MaxRecords)
            throw new DataFormatException(
                $"{path} holds {bytes.Count} bytes, which is {bytes.Count / Record} records of {Record} bytes and " +
                    $"{bytes.Count % Record} more; expected 1 to {MaxRecords} whole CIFAR-10 records.");
        var count = bytes.Count / Record;
        using var scope = NewDisposeScope();
        var (images, labels) = (empty([count, 3, 32, 32], uint8), empty([count], int64));
        var pixels = images.bytes;
        var classes = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, long>(labels.bytes);
        for (var i = 0; i < count; i++)
        {
            var record = bytes.AsSpan(i * Record, Record);
            if (record[0] >= ClassNames.Count)
                throw new DataFormatException(
                    $"{path}: record {i} has the label {record[0]}; expected 0 to 9. CIFAR-100, or a file with a header, is not read " +
                    $"here.");
            classes[i] = record[0];
            record[1..].CopyTo(pixels.Slice(i * Pixels, Pixels));
        }
        return new ImageDataset("CIFAR-10", images.MoveToOuterDisposeScope(), labels.MoveToOuterDisposeScope(), 256);
    });
}
