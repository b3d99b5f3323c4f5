namespace RealNvp;

/// <summary>How a column of a <see cref="TableSchema"/> is described.</summary>
public enum TableColumnKind
{
    /// <summary>Names without an order. The density has a probability for each; their order means nothing.</summary>
    Category,

    /// <summary>A few different numbers, such as 0, 1 and 2 or 0.5, 1 and 2.5. The density has a probability for each.</summary>
    Levels,

    /// <summary>Whole numbers, or multiples of a step, of which there are many. The density
    /// has a probability for each: the integral of a density over the step.</summary>
    Whole,

    /// <summary>Numbers of the line, which may have bounds, heavy tails, and single values that repeat.</summary>
    Number,

    /// <summary>Numbers on a circle, such as angles, or hours of the day.</summary>
    Circle,
}
