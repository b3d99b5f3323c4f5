namespace RealNvp.Plotting;

/// <summary>An axis for numbers of any size: linear, or by sign and logarithm where most of it would be empty.</summary>
internal sealed class NumberAxis
{
    // the largest number by the usual one
    private const double MostLinear = 60;

    private readonly bool isLogarithmic;
    private readonly double low, high;

    private NumberAxis(bool isLogarithmic, double smallest, double largest)
    {
        this.isLogarithmic = isLogarithmic;
        (low, high) = RobustRange.Pad(Scaled(smallest), Scaled(largest), 0.05);
        Ticks = [.. isLogarithmic ? Powers(smallest, largest) : Round(low, high)];
    }

    /// <summary>Where labels go, rising.</summary>
    public IReadOnlyList<double> Ticks { get; }

    public static NumberAxis Of(IEnumerable<NumberSummary> numbers)
    {
        var all = numbers.ToArray();
        if (all.Length == 0) return new(false, -1, 1);
        var (smallest, largest) = (Math.Min(0, all.Min(n => n.Smallest)), Math.Max(0, all.Max(n => n.Largest)));
        var usual = all.Select(n => Math.Max(Math.Abs(n.Mean), n.StandardDeviation)).Order().ElementAt(all.Length / 2);
        return new(largest - smallest > MostLinear * Math.Max(usual, 0.05), smallest, largest);
    }

    /// <summary>Where a number is, 0 at the left end and 1 at the right one.</summary>
    public double Place(double value) => (Scaled(value) - low) / (high - low);

    private double Scaled(double value) => isLogarithmic ? Math.Sign(value) * Math.Log10(1 + Math.Abs(value)) : value;

    private static IEnumerable<double> Powers(double smallest, double largest)
    {
        var most = (int)Math.Floor(Math.Log10(Math.Max(Math.Max(-smallest, largest), 1)));
        var step = Math.Max(1, (most + 3) / 4);
        List<double> sides = [];
        for (var power = most; power >= 0; power -= step) sides.Add(Math.Pow(10, power));
        foreach (var side in sides)
            if (-side >= smallest) yield return -side;
        yield return 0;
        foreach (var side in Enumerable.Reverse(sides))
            if (side <= largest) yield return side;
    }

    private static IEnumerable<double> Round(double low, double high)
    {
        var rough = (high - low) / 5;
        var unit = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        var step = unit * ((rough / unit) switch { < 1.5 => 1, < 3.5 => 2, < 7.5 => 5, _ => 10 });
        for (var k = Math.Ceiling(low / step); k * step <= high; k++) yield return k * step;
    }
}
