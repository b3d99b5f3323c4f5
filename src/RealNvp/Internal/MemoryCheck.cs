using System.Globalization;
using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>Says how many numbers were asked for, and what to do, if there is no memory for them.</summary>
internal static class MemoryCheck
{
    // below it is not worth a question
    private const long Much = 1L << 32;

    // of the number of samples at a time that a message names
    private const long Comfortable = 1L << 30;

    /// <summary>The number of samples in all, rows·count, if there is memory for them: nothing is begun that cannot end.</summary>
    /// <param name="rows">The number of contexts, or 1.</param>
    /// <param name="count">The samples of each.</param>
    /// <param name="elements">The numbers of a sample.</param>
    /// <param name="dtype">Their dtype.</param>
    /// <param name="owner">The method that was called.</param>
    public static long Samples(long rows, long count, long elements, ScalarType dtype, string owner)
    {
        if (count < 0) throw new ArgumentOutOfRangeException(nameof(count), count, "The number of samples must not be negative.");
        // three numbers of 63 bits may be too large for 128
        var samples = (Int128)rows * count;
        var size = dtype == ScalarType.Float64 ? sizeof(double) : sizeof(float);
        var bytes = (double)samples * elements * size;
        if (IsThereMemory(bytes)) return (long)samples;
        var some = Math.Max(1, Comfortable / size / Math.Max(1, elements));
        throw new InsufficientMemoryException(
            string.Create(CultureInfo.InvariantCulture,
            $"{owner} was asked for {samples:N0} samples of {elements:N0} number(s) each, which take {Bytes(bytes)} as {dtype}: there " +
            $"is not enough memory. Draw some at a time, such as {some:N0}, and use or save them before you draw the next ones."));
    }

    /// <summary>Throws if there is no memory for the results of many rows: before the first of them is computed.</summary>
    public static void Results(long rows, long numbers, string owner)
    {
        var bytes = (double)rows * numbers * sizeof(float);
        if (IsThereMemory(bytes)) return;
        throw new InsufficientMemoryException(
            string.Create(CultureInfo.InvariantCulture,
            $"{owner} has results of {numbers:N0} number(s) for each of {rows:N0} rows, which take {Bytes(bytes)}: there is not enough " +
            $"memory. Pass some rows at a time, and use or save their results before you pass the next ones."));
    }

    /// <summary>The error for a computation on rows that ran out of memory; null if the error is another one.</summary>
    /// <param name="error">What was thrown.</param>
    /// <param name="owner">The method that was called.</param>
    /// <param name="rows">The rows in all.</param>
    /// <param name="size">The rows that are computed at a time.</param>
    public static Exception? Of(Exception error, string owner, long rows, long size) =>
        !IsOutOfMemory(error) ? null : new InsufficientMemoryException(string.Create(CultureInfo.InvariantCulture,
        $"{owner}: there is not enough memory to compute {rows:N0} rows, {Math.Min(rows, size):N0} at a time, or to hold their results. " +
            $"{(size < rows ? "Pass fewer rows, or a smaller batch size" : "Pass fewer rows")}. ({error.Message.Split('\n')[0].Trim()})"),
            error);

    // libtorch has no type for it: the allocators of CPU and CUDA, and sizes that no number holds
    private static bool IsOutOfMemory(Exception error) => error is ExternalException && (
        error.Message.Contains("allocate memory", StringComparison.Ordinal)
            || error.Message.Contains("out of memory", StringComparison.OrdinalIgnoreCase) ||
        error.Message.Contains("Storage size calculation overflowed", StringComparison.Ordinal)
            || error.Message.Contains("integer multiplication overflow", StringComparison.Ordinal));

    private static bool IsThereMemory(double bytes)
    {
        if (bytes <= Much) return true;
        if (bytes >= long.MaxValue / 2) return false;
        try
        {
            empty((long)bytes, ScalarType.Byte, CPU).Dispose();
            return true;
        }
        catch (ExternalException)
        {
            return false;
        }
    }

    private static string Bytes(double bytes) => bytes < 1e15 ? FormattableString.Invariant($"{bytes / (1L << 30):N0} GiB")
        : FormattableString.Invariant($"{bytes:0.#e+0} bytes");
}
