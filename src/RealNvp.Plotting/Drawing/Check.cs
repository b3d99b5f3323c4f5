using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Plotting;

/// <summary>Checks of arguments, and the way from a tensor to numbers.</summary>
internal static class Check
{
    private const int MaxSide = 32_767;
    private const long MaxPixels = 200_000_000;

    public static void PictureSize(long width, long height, string advice = "Ask for a smaller picture.")
    {
        if (width is < 1 or > MaxSide || height is < 1 or > MaxSide || width * height > MaxPixels)
            throw new ArgumentException(
                string.Create(CultureInfo.InvariantCulture,
                    $"The picture would be {width} x {height} pixels; expected sides of 1 to {MaxSide} and at most {MaxPixels:N0} " +
                    $"pixels. {advice}"));
    }

    public static void ChartSize(int width, int height)
    {
        if (width < 200 || height < 150)
            throw new ArgumentException(
                $"The picture would be {width} x {height} pixels; expected at least 200 x 150, so that axes and text have room.");
    }

    public static string Shape(Tensor tensor) => Shape(tensor.shape);

    public static string Shape(long[] shape) => $"({string.Join(", ", shape)}{(shape.Length == 1 ? "," : "")})";

    /// <summary>Throws unless the shape is <paramref name="expected"/>, where -1 is any size of at least 1.</summary>
    public static void Shape(Tensor tensor, long[] expected, string letters, string name)
    {
        ArgumentNullException.ThrowIfNull(tensor, name);
        Shape(tensor.shape, expected, letters, name);
    }

    public static void Shape(long[] actual, long[] expected, string letters, string name)
    {
        var fits = actual.Length == expected.Length;
        for (var i = 0; fits && i < actual.Length; i++) fits = expected[i] == -1 ? actual[i] >= 1 : actual[i] == expected[i];
        if (!fits) throw new ArgumentException($"{name} has shape {Shape(actual)}; expected {letters}, with no size of 0.", name);
    }

    /// <summary>Throws unless there is a name for each of <paramref name="count"/> columns, or no list at all.</summary>
    public static void Names(IReadOnlyList<string>? names, int count, string option)
    {
        if (names is null) return;
        if (names.Count != count)
            throw new ArgumentException($"{option} holds {names.Count} names, but there are {count} columns; expected one for each.");
        if (names.Any(string.IsNullOrWhiteSpace))
            throw new ArgumentException($"{option} holds an empty name; expected a text for each column.");
    }

    /// <summary>The elements as doubles, from any device and any real dtype, in row-major order. The tensor stays as it is.</summary>
    public static double[] Numbers(Tensor tensor, string name)
    {
        if (tensor.is_complex())
            throw new ArgumentException($"{name} has dtype {tensor.dtype}; expected real numbers. Plot the real or the imaginary part.",
                name);
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        return tensor.detach().to(ScalarType.Float64).cpu().contiguous().data<double>().ToArray();
    }

    /// <summary>Throws if a number is NaN, or infinite unless <paramref name="infinite"/> allows it.</summary>
    public static void Finite(double[] numbers, string name, Func<double, bool>? infinite = null)
    {
        var (count, first) = (0L, -1L);
        for (var i = 0L; i < numbers.LongLength; i++)
            if (!double.IsFinite(numbers[i]) && (infinite is null || !infinite(numbers[i])))
            {
                if (count++ == 0) first = i;
            }
        if (count > 0)
            throw new ArgumentException(
                string.Create(CultureInfo.InvariantCulture,
                    $"{name} holds {count} of {numbers.LongLength} numbers that cannot be drawn; the first is {numbers[first]} at flat " +
                    $"index {first}. Remove them, or find out where they come from."), name);
    }
}
