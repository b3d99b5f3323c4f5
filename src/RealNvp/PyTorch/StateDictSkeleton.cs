using System.Globalization;
using System.IO.Compression;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A state dict without its weights, as lines of text: what a flow of another library is built from. A line has the shape, such
/// as 3x4, or - for one number; the values: * for weights, b: and compressed bits of zeros and ones, or n: and numbers; and the
/// name.</summary>
internal static class StateDictSkeleton
{
    // one number of the largest mask: 2²⁶ of them are 8 MB
    private const long MostFixed = 1 << 26;

    /// <summary>The line of a tensor.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="tensor">The tensor.</param>
    /// <param name="isFixed">Whether its values say what the flow is, as those of a mask do.</param>
    public static string Line(string name, Tensor tensor, bool isFixed)
    {
        var shape = tensor.dim() == 0 ? "-" : string.Join('x', tensor.shape.Select(s => s.ToString(CultureInfo.InvariantCulture)));
        if (!isFixed) return $"{shape} * {name}";
        var values = tensor.to(float64).flatten().FetchDoubles();
        return Array.TrueForAll(values, v => v is 0 or 1) && values.Length > 8 ? $"{shape} b:{Packed(values)} {name}"
            : $"{shape} n:{string.Join(',', values.Select(v => v.ToString("R", CultureInfo.InvariantCulture)))} {name}";
    }

    /// <summary>The state dict of the lines, in which all weights are 1.</summary>
    /// <exception cref="InvalidDataException">A line is none, or there are more weights than a file holds.</exception>
    public static Dictionary<string, Tensor> Read(IReadOnlyList<string> lines)
    {
        var tensors = new Dictionary<string, Tensor>(StringComparer.Ordinal);
        Int128 weights = 0, fixedOnes = 0;
        // one number that is seen many times
        var one = ones([], get_default_dtype(), CPU);
        foreach (var line in lines)
        {
            var parts = line.Split(' ', 3);
            if (parts.Length < 3 || Sizes(parts[0]) is not { } shape) throw Bad(line);
            var count = shape.Aggregate((Int128)1, (n, s) => n > long.MaxValue ? n : n * s);
            var isWeight = parts[1] == "*";
            if (isWeight) weights += count;
            else fixedOnes += count;
            Weights.CheckAffords(weights);
            if (fixedOnes > MostFixed) throw Bad(line);
            var tensor = isWeight ? one.expand(shape) : Fixed(parts[1], (int)count, shape) ?? throw Bad(line);
            if (!tensors.TryAdd(parts[2], tensor)) throw Bad(line);
        }
        return tensors;
    }

    private static long[]? Sizes(string text)
    {
        if (text == "-") return [];
        var sizes = new List<long>();
        foreach (var part in text.Split('x'))
        {
            if (!long.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var size) || size > int.MaxValue) return null;
            sizes.Add(size);
        }
        return sizes.Count > 8 ? null : [.. sizes];
    }

    private static Tensor? Fixed(string text, int count, long[] shape)
    {
        var values = text.StartsWith("b:", StringComparison.Ordinal) ? Unpacked(text[2..], count)
            : text.StartsWith("n:", StringComparison.Ordinal) ? Numbers(text[2..]) : null;
        return values?.Length == count ? tensor(values, shape, device: CPU) : null;
    }

    private static double[]? Numbers(string text)
    {
        if (text.Length == 0) return [];
        var parts = text.Split(',');
        var values = new double[parts.Length];
        for (var i = 0; i < parts.Length; i++)
            if (!double.TryParse(parts[i], NumberStyles.Float, CultureInfo.InvariantCulture, out values[i]) || !double.IsFinite(values[i]))
                return null;
        return values;
    }

    private static string Packed(double[] values)
    {
        var bits = new byte[(values.Length + 7) / 8];
        for (var i = 0; i < values.Length; i++) if (values[i] != 0) bits[i / 8] |= (byte)(1 << (i % 8));
        using var memory = new MemoryStream();
        using (var deflate = new DeflateStream(memory, CompressionLevel.Optimal, leaveOpen: true)) deflate.Write(bits);
        return Convert.ToBase64String(memory.ToArray());
    }

    // it grows to as many bytes as the shape says, and no further
    private static double[]? Unpacked(string text, int count)
    {
        var bits = new byte[(count + 7) / 8];
        try
        {
            using var deflate = new DeflateStream(new MemoryStream(Convert.FromBase64String(text)), CompressionMode.Decompress);
            if (deflate.ReadAtLeast(bits, bits.Length, throwOnEndOfStream: false) < bits.Length || deflate.ReadByte() >= 0) return null;
        }
        catch (Exception e) when (e is FormatException or InvalidDataException) { return null; }
        var values = new double[count];
        for (var i = 0; i < count; i++) values[i] = (bits[i / 8] >> (i % 8)) & 1;
        return values;
    }

    private static InvalidDataException Bad(string line) => new(
        $"The options of an imported flow have a tensor that is none: '{FileText.Name(line.Length > 80 ? line[..80] : line)}'.");
}
