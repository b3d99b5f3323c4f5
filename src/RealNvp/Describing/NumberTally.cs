using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Describing;

/// <summary>Mean, deviation and ends of numbers that come in parts, in float64 (Chan, Golub and LeVeque 1979).</summary>
internal sealed class NumberTally
{
    private long count, notFinite;
    private double mean, squares, smallest = double.PositiveInfinity, largest = double.NegativeInfinity;

    /// <summary>Adds all elements of a tensor.</summary>
    public void Add(Tensor numbers)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var finite = numbers.masked_select(numbers.isfinite()).to(ScalarType.Float64);
        var n = finite.numel();
        notFinite += numbers.numel() - n;
        if (n == 0) return;
        var center = finite.mean();
        var part = stack([center, finite.sub(center).pow(Scalars.Two).sum(), finite.min(), finite.max()]).FetchDoubles();
        var delta = part[0] - mean;
        squares += part[1] + delta * delta * count * n / (count + n);
        mean += delta * n / (count + n);
        count += n;
        (smallest, largest) = (Math.Min(smallest, part[2]), Math.Max(largest, part[3]));
    }

    /// <summary>What there is so far; null for no number at all.</summary>
    public NumberSummary? Summary() => count + notFinite == 0 ? null
        : new()
        {
            Count = count, NotFinite = notFinite, Mean = OrNan(mean), StandardDeviation = OrNan(Math.Sqrt(squares / Math.Max(1, count))),
            Smallest = OrNan(smallest), Largest = OrNan(largest),
        };

    private double OrNan(double value) => count == 0 ? double.NaN : value;
}
