using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>What tells rows from others in a checkpoint: their number, the shape of one, and a digest of numbers.</summary>
internal static class RowDigest
{
    private const int RowsAtATime = 1 << 16, Some = 256;

    /// <summary>Of all rows.</summary>
    /// <param name="rows">(N, ...) of any dtype and on any device.</param>
    public static string Of(Tensor rows) => Of(rows.shape[0], rows.shape.AsSpan(1), Parts(rows));

    /// <summary>Of some rows, evenly spread, of several tensors of N rows: costs no more for a million of them than for some hundreds.
    /// </summary>
    /// <param name="tensors">(N, ...) each, at least one.</param>
    /// <param name="places">(N') of rows, on the CPU; null for all.</param>
    public static string OfSome(IReadOnlyList<Tensor> tensors, Tensor? places)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var count = (places ?? tensors[0]).shape[0];
        var some = tensor([.. Enumerable.Range(0, (int)Math.Min(Some, count)).Select(i => i * count / Math.Min(Some, count))], device: CPU);
        if (places is not null) some = places.index_select(0, some);
        return Of(count, tensors[0].shape.AsSpan(1), tensors.Select(t => t.detach().index_select(0, some.to(t.device)).to(float64)
            .FetchDoubles()));
    }

    /// <summary>Of numbers of rows.</summary>
    /// <param name="count">How many rows there are.</param>
    /// <param name="shape">Of one.</param>
    /// <param name="numbers">The numbers, in any parts.</param>
    public static string Of(long count, ReadOnlySpan<long> shape, IEnumerable<double[]> numbers)
    {
        using var digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var part in numbers)
        {
            // all kinds of NaN and both zeros count as one, and so do the byte orders of machines
            var bits = Array.ConvertAll(part, n => BitConverter.DoubleToInt64Bits(double.IsNaN(n) ? double.NaN : n + 0.0));
            if (!BitConverter.IsLittleEndian) BinaryPrimitives.ReverseEndianness(bits, bits);
            digest.AppendData(MemoryMarshal.AsBytes(bits.AsSpan()));
        }
        const int shown = 8;
        return string.Create(CultureInfo.InvariantCulture, $"{count:N0} of shape {EventShape.Format(shape)}, digest ") +
            Convert.ToHexStringLower(digest.GetHashAndReset().AsSpan(0, shown));
    }

    private static IEnumerable<double[]> Parts(Tensor rows)
    {
        for (long start = 0; start < rows.shape[0]; start += RowsAtATime) yield return Part(start);

        // no scope may stay open over a yield
        double[] Part(long start)
        {
            using var scope = NewDisposeScope();
            return rows.narrow(0, start, Math.Min(RowsAtATime, rows.shape[0] - start)).to(float64).FetchDoubles();
        }
    }
}
