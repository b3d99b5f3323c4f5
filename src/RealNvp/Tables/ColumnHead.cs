namespace RealNvp.Tables;

/// <summary>What kind of density a column's codes have.</summary>
internal enum HeadKind
{
    /// <summary>Probabilities of K codes: a piecewise linear distribution function with a cell for each.</summary>
    Softmax,

    /// <summary>A spline to a standard normal.</summary>
    Line,

    /// <summary>The same, of whole numbers: the probability of a cell is the difference of the distribution function at its
    /// edges.</summary>
    Cells,

    /// <summary>A spline of [0, 1] onto itself.</summary>
    Box,

    /// <summary>The same, with its ends joined.</summary>
    Circle,
}

/// <summary>What the layer must know of a column.</summary>
internal sealed record ColumnHead
{
    public required HeadKind Kind { get; init; }

    /// <summary>K, of a softmax.</summary>
    public int Levels { get; init; }

    /// <summary>Whether the codes of a softmax are in an order that means something: then the network
    /// sees the place in it too, and a tilt and a bend along it are added to the logits.</summary>
    public bool IsOrdered { get; init; }

    /// <summary>Codes that have probabilities of their own, exact in float32.</summary>
    public double[] Atoms { get; init; } = [];

    /// <summary>Of cells: how edges become numbers that are about standard normal.</summary>
    public ColumnNumbers Numbers { get; init; } = new();

    /// <summary>Of cells: whether edges go through asinh.</summary>
    public bool HeavyTails { get; init; }

    /// <summary>Of cells: the least code, whose cell reaches to minus infinity; null for none.</summary>
    public double? Lowest { get; init; }

    /// <summary>Of cells: the greatest code, whose cell reaches to infinity; null for none.</summary>
    public double? Highest { get; init; }

    /// <summary>Whether each code has a probability.</summary>
    public bool IsDiscrete => Kind is HeadKind.Softmax or HeadKind.Cells;
}
