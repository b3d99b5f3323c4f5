using System.Globalization;

namespace RealNvp;

/// <summary>An element of an example that is a position on a circle, such as an
/// angle: <see cref="Low"/> and <see cref="High"/> are the same point.</summary>
public readonly record struct Circle
{
    /// <summary>Describes a circle.</summary>
    /// <param name="feature">The index of the element in a flattened example, from 0.</param>
    /// <param name="low">Where the circle is cut: the lower edge.</param>
    /// <param name="high">The upper edge, one turn on; above <paramref name="low"/>, finite.</param>
    public Circle(int feature, double low = -Math.PI, double high = Math.PI)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(feature);
        CheckEdges(low, high);
        (Feature, Low, High) = (feature, low, high);
    }

    /// <summary>The index of the element in a flattened example.</summary>
    public int Feature { get; }

    /// <summary>The lower edge.</summary>
    public double Low { get; }

    /// <summary>The upper edge, which is the same point.</summary>
    public double High { get; }

    /// <summary>The length of a turn.</summary>
    public double Period => High - Low;

    /// <summary>The same circle for another element.</summary>
    public Circle At(int feature) => new(feature, Low, High);

    /// <summary>The element and the edges in words.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"feature {Feature} on [{Low:G6}, {High:G6}]");

    internal static void CheckEdges(double low, double high)
    {
        Internal.Ranges.Interval(low, high, "A circle");
    }
}
