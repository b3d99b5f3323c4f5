namespace RealNvp.Plotting;

/// <summary>Round numbers on an axis, with texts that tell neighbours apart whatever the size of the numbers.</summary>
internal sealed class Ticks
{
    private const int MostDigits = 6;

    private Ticks(double[] positions, string[] labels, string? offset) => (Positions, Labels, Offset) = (positions, labels, offset);

    /// <summary>Where they are, rising.</summary>
    public double[] Positions { get; }

    public string[] Labels { get; }

    /// <summary>What the axis adds to its numbers, such as "+ 1000000", for the label of the axis; null if nothing.</summary>
    public string? Offset { get; }

    /// <summary>As many as fit beside each other.</summary>
    /// <param name="low">The left end of the axis.</param>
    /// <param name="high">The right end.</param>
    /// <param name="length">The length of the axis in pixels.</param>
    /// <param name="width">The width of a text in pixels.</param>
    /// <param name="whole">Whether only whole numbers have a meaning.</param>
    public static Ticks Across(double low, double high, double length, Func<string, double> width, bool whole = false)
    {
        for (var most = (int)Math.Clamp(length / 40, 3, 10); ; most--)
        {
            var ticks = Of(low, high, most, whole);
            if (most <= 2 || ticks.Positions.Length < 2) return ticks;
            var room = length * (ticks.Positions[1] - ticks.Positions[0]) / (high - low);
            if (ticks.Labels.Max(width) + 12 <= room) return ticks;
        }
    }

    /// <summary>As many as fit above each other.</summary>
    public static Ticks Up(double low, double high, double length) => Of(low, high, (int)Math.Clamp(length / 36, 2, 9), false);

    private static Ticks Of(double low, double high, int most, bool whole)
    {
        if (!(high > low) || !double.IsFinite(high - low)) return new([low], [NumberText.Of(low)], null);
        var power = Math.Floor(Math.Log10((high - low) / most)) - 1;
        double[] positions = [];
        var (step, decimals) = (0.0, 0);
        // the finest step that gives no more than allowed; one tick says nothing about the scale
        for (var k = 0; k < 12; k++)
        {
            var place = (int)power + k / 3;
            var (size, factor) = (Math.Pow(10, place), k % 3 == 0 ? 1 : k % 3 == 1 ? 2 : 5);
            if (whole && factor * size < 1) continue;
            var (first, last) = (Math.Ceiling(low / (factor * size) - 1e-9), Math.Floor(high / (factor * size) + 1e-9));
            if (last - first + 1 > 1000) continue;
            var now = Enumerable.Range(0, Math.Max(0, (int)(last - first) + 1)).Select(i => (first + i) * factor * size).ToArray();
            if (now.Length < 2 && positions.Length >= 2) break;
            (positions, step, decimals) = (now, factor * size, -place);
            if (positions.Length <= most) break;
        }
        return positions.Length == 0 ? new([], [], null) : Labelled(positions, step, decimals, high - low);
    }

    private static Ticks Labelled(double[] positions, double step, int decimals, double range)
    {
        var largest = positions.Max(Math.Abs);
        if (largest == 0) return new(positions, ["0"], null);
        var exponent = (int)Math.Floor(Math.Log10(largest) + 1e-9);
        if (exponent + decimals >= MostDigits)
        {
            // a round number amid them
            var unit = Math.Pow(10, Math.Ceiling(Math.Log10(range)));
            var offset = Math.Round((positions[0] + positions[^1]) / 2 / unit) * unit;
            var rest = positions.Select(p => Math.Round((p - offset) / step) * step).ToArray();
            if (offset != 0 && rest.Max(Math.Abs) < largest / 100)
                return new(positions, Labelled(rest, step, decimals, range).Labels,
                    (offset > 0 ? "+ " : "− ") + NumberText.Of(Math.Abs(offset), 15));
        }
        string[] labels = [.. exponent is >= 6 or < -3
            ? positions.Select(p => NumberText.Exponential(p, Math.Clamp((int)Math.Floor(Math.Log10(Math.Max(Math.Abs(p), step)) + 1e-9)
                + decimals, 0, 15)))
            : positions.Select(p => NumberText.Fixed(p, Math.Clamp(decimals, 0, 15)))];
        return new(positions, labels, null);
    }
}
