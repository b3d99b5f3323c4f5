using System.Globalization;

namespace RealNvp.Describing;

/// <summary>A number and its standard error as people write them: two digits of the error, and the number as far as these go.</summary>
internal static class Measured
{
    /// <summary>For instance "-4.141 ± 0.053". An error that is 0, NaN or infinite says nothing of the digits.</summary>
    public static string With(double value, double error) => double.IsNaN(error) ? Alone(value)
        : $"{As(value, error)} ± " +
            $"{(Decimals(error) is { } digits ? Fixed(error, digits) : error.ToString("G2", CultureInfo.InvariantCulture))}";

    /// <summary>A number with as many digits as one with this error has.</summary>
    public static string As(double value, double error) => Decimals(error) is { } digits ? Fixed(value, digits) : Alone(value);

    private static string Alone(double value) => value.ToString("G6", CultureInfo.InvariantCulture);

    // numbers that are too small or too large for digits after the point are written with their power of ten
    private static int? Decimals(double error) =>
        double.IsFinite(error) && error is >= 1e-9 and < 1e9 ? Math.Max(0, 1 - (int)Math.Floor(Math.Log10(error))) : null;

    private static string Fixed(double value, int digits) => value.ToString("F" + digits.ToString(CultureInfo.InvariantCulture),
        CultureInfo.InvariantCulture);
}
