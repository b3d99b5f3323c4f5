using System.Globalization;

namespace RealNvp.Plotting;

/// <summary>Numbers as short texts, alike on every machine: 0.25, −1200, 1.5e6.</summary>
internal static class NumberText
{
    /// <summary>The number with at most <paramref name="digits"/> digits.</summary>
    public static string Of(double value, int digits = 5)
    {
        if (!double.IsFinite(value)) return value.ToString(CultureInfo.InvariantCulture);
        var rounded = double.Parse(value.ToString($"E{digits - 1}", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
        if (rounded == 0) return "0";
        return Math.Abs(rounded) is >= 1e6 or < 1e-3 ? Exponential(rounded, digits - 1)
            : Signed(rounded.ToString("0.################", CultureInfo.InvariantCulture));
    }

    /// <summary>The number with all places up to the one that <paramref name="decimals"/> says, and no zeros behind.</summary>
    public static string Fixed(double value, int decimals)
    {
        var text = value.ToString(decimals == 0 ? "0" : "0." + new string('#', decimals), CultureInfo.InvariantCulture);
        return text is "-0" ? "0" : Signed(text);
    }

    /// <summary>Mantissa and exponent, such as 1.5e6.</summary>
    public static string Exponential(double value, int decimals) => value == 0 ? "0"
        : Signed(value.ToString((decimals == 0 ? "0" : "0." + new string('#', decimals)) + "e0", CultureInfo.InvariantCulture));

    // a minus as wide as a plus
    private static string Signed(string text) => text.Replace('-', '−');
}
