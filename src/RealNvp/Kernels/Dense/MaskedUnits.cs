namespace RealNvp.Kernels;

/// <summary>
/// Who sees whom in a masked autoregressive network (MADE, arXiv 1502.03509): a hidden unit of degree d sees the first d features of the
/// order, and the parameters of a feature are seen by none that knows it. Degrees are spread evenly, and grow with the number of the unit.
/// </summary>
internal sealed class MaskedUnits
{
    private readonly long[] degrees, positions;

    /// <param name="positions">The position of each feature in the order.</param>
    /// <param name="hidden">The number of hidden units of each layer.</param>
    /// <param name="hasContext">Whether there is a context, which a unit of degree 0 may see.</param>
    public MaskedUnits(long[] positions, long hidden, bool hasContext)
    {
        this.positions = positions;
        var features = positions.Length;
        var least = hasContext || features == 1 ? 0 : 1;
        degrees = new long[hidden];
        for (long j = 0; j < hidden; j++) degrees[j] = least + (j * (features - least) / hidden);
        Ends = [.. Enumerable.Range(0, features).Select(d => degrees.LongCount(degree => degree <= d))];
    }

    /// <summary>The degree of each hidden unit.</summary>
    public long[] Degrees => degrees;

    /// <summary>For each step of the order how many hidden units are known after it.</summary>
    public long[] Ends { get; }

    /// <summary>The feature at each position of the order.</summary>
    public static long[] OrderOf(long[] positions)
    {
        var order = new long[positions.Length];
        for (var i = 0; i < order.Length; i++) order[positions[i]] = i;
        return order;
    }

    public bool FirstSees(int unit, int feature) => degrees[unit] > positions[feature];

    public bool HiddenSees(int unit, int from) => degrees[unit] >= degrees[from];

    /// <summary>Outputs are the first parameters of all features, then the second ones, and so on.</summary>
    public bool LastSees(int output, int unit) => positions[output % positions.Length] >= degrees[unit];

    /// <summary>Where the weights of a network of so many layers have anything.</summary>
    public DenseBand[] Bands(int layers, long perFeature)
    {
        var (hidden, features) = (degrees.Length, positions.Length);
        var inner = new DenseBand(hidden, hidden, HiddenSees);
        return
        [
            new(hidden, features, FirstSees), .. Enumerable.Repeat(inner, layers - 2),
            new(features * perFeature, hidden, LastSees),
        ];
    }
}
