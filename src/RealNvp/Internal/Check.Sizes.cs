namespace RealNvp.Internal;

/// <summary>Sizes that layers and networks are made with.</summary>
internal static partial class Check
{
    // of a dimension, and of layers in a row: what no machine can hold is a mistake
    private const long Largest = int.MaxValue;
    private const int Deepest = 4096;

    public static long Positive(long value, string parameter, string what) =>
        value >= 1 ? NotNegative(value, parameter, what)
            : throw new ArgumentOutOfRangeException(parameter, value, $"{what} must be at least 1.");

    /// <summary>A size, small enough for products of two of them.</summary>
    public static long NotNegative(long value, string parameter, string what) => value switch
    {
        < 0 => throw new ArgumentOutOfRangeException(parameter, value, $"{what} must not be negative."),
        > Largest => throw new ArgumentOutOfRangeException(parameter, value, $"{what} must be at most {Largest}."),
        _ => value,
    };

    /// <summary>A number of layers or blocks.</summary>
    public static int Depth(int value, int least, string parameter, string what) => value >= least && value <= Deepest
        ? value : throw new ArgumentOutOfRangeException(parameter, value, $"{what} must be {least} to {Deepest}.");

    /// <summary>The limit of what a network sees, or null.</summary>
    public static double? Limit(double? inputLimit) =>
        inputLimit is not { } limit ? null : Ranges.InputLimit.Require(limit, nameof(inputLimit), "The limit of a network's inputs");

    /// <summary>The size D of a shape [D].</summary>
    public static long Vector(EventShape shape, string parameter, string what) =>
        shape.Count == 1 && shape[0] >= 1 ? shape[0]
            : throw new ArgumentException($"{what} needs a vector [D] of a known size; got {shape}.", parameter);
}
