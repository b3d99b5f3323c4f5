namespace RealNvp;

/// <summary>Range checks of numbers that a user gives; NaN fails them all.</summary>
internal static class Require
{
    public static double NotNegative(double value, string name) => value is >= 0 and < double.PositiveInfinity
        ? value
        : throw new ArgumentOutOfRangeException(name, value, $"{name} must be a finite number of at least 0.");

    public static double Positive(double value, string name) => value is > 0 and < double.PositiveInfinity
        ? value
        : throw new ArgumentOutOfRangeException(name, value, $"{name} must be a finite number above 0.");

    public static double FromZeroToBelowOne(double value, string name) => value is >= 0 and < 1
        ? value
        : throw new ArgumentOutOfRangeException(name, value, $"{name} must be at least 0 and less than 1.");

    public static double FromZeroToOne(double value, string name) => value is >= 0 and <= 1
        ? value
        : throw new ArgumentOutOfRangeException(name, value, $"{name} must be from 0 to 1.");

    public static long AtLeast(long least, long value, string name) => value >= least
        ? value
        : throw new ArgumentOutOfRangeException(name, value, $"{name} must be at least {least}.");
}
