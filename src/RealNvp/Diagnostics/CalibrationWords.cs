using System.Globalization;

namespace RealNvp;

/// <summary>What uniform values, and such that are not, say of a density.</summary>
internal static class CalibrationWords
{
    // in standard deviations: below, neither place nor width are what is wrong
    private const double Clear = 2.5;
    private const int Named = 3;

    public static string Title(CalibrationResult result)
    {
        var test = result.Tests[0];
        var rows = DiagnosticText.Count(test.Count, "row");
        var draws = test.Draws == 0 ? "exact" : $"{DiagnosticText.Count(test.Draws, "draw")} each";
        return result.Kind switch
        {
            CalibrationKind.Sbc => $"Simulation-based calibration of {rows}, {draws}, " +
                $"{DiagnosticText.Count(result.Tests.Count, "quantity", "quantities")}",
            CalibrationKind.Coverage => $"Coverage of regions of highest density, {rows}, {draws}",
            CalibrationKind.Tarp => $"Coverage of random balls (TARP), {rows}, {draws}",
            _ => $"Probability integral transform of {rows}, {draws}, {DiagnosticText.Count(result.Tests.Count, "feature")}",
        };
    }

    public static string Of(CalibrationResult result)
    {
        var head = $"{Title(result)}: {DiagnosticText.Odds(result.PValue)}";
        if (!result.IsRejected)
            return $"{head}; a right density looks like this or worse with this probability. Nothing speaks against the density. "
                + string.Join(" ", result.Tests.Take(1).Where(_ => result.Tests.Count == 1).Select(t => Held(result.Kind, t)));
        var wrong = result.Tests.Where(t => t.PValue <= result.Level).OrderBy(t => t.PValue).ToArray();
        if (wrong.Length == 0) wrong = [result.Tests.MinBy(t => t.PValue)!];
        var more = wrong.Length > Named ? $"; and {wrong.Length - Named} more" : "";
        return $"{head}: the density is not right. "
            + string.Join("; ", wrong.Take(Named).Select(t => $"{t.Name}: {Fault(result.Kind, t)}")) + more + ".";
    }

    /// <summary>What is wrong if the values are not uniform.</summary>
    public static string Fault(CalibrationKind kind, UniformityTest test)
    {
        var (shift, width) = (test.Shift, test.Width);
        if (kind is CalibrationKind.Coverage or CalibrationKind.Tarp)
        {
            var regions = kind == CalibrationKind.Coverage ? "regions of highest density" : "regions";
            var held = Held(kind, test).TrimEnd('.');
            if (Math.Abs(shift) < Clear) return $"{regions} hold too many truths at some levels and too few at others ({held})";
            return shift > 0
                ? $"{regions} are too small, so it is too sure of itself or shifted ({held})"
                : $"{regions} are too large, so it is less sure than it could be ({held})";
        }
        if (test.Name == TestQuantity.LogProb)
            return shift < -Clear ? $"truths are less likely than draws, so it is too sure of itself or shifted ({Median(test)})"
                : shift > Clear ? $"truths are more likely than draws, so it is less sure than it could be ({Median(test)})"
                : $"log p of truths and draws differ in form ({Median(test)})";
        var central = $"the central 90 % hold {DiagnosticText.Share(Central(test))} of the truths";
        if (Math.Abs(shift) >= Clear && Math.Abs(shift) >= Math.Abs(width))
            return $"too {(shift > 0 ? "low" : "high")} ({Median(test)})";
        if (Math.Abs(width) >= Clear) return $"too {(width > 0 ? "narrow" : "wide")} ({central})";
        return $"neither shifted nor of a wrong width on the whole, but of another form ({central})";
    }

    /// <summary>The share of the values in the central 90 %.</summary>
    public static double Central(UniformityTest test) => test.ShareBelow(0.95) - test.ShareBelow(0.05);

    public static string Number(double value) => value.ToString("0.000", CultureInfo.InvariantCulture);

    private static string Median(UniformityTest test) => $"{DiagnosticText.Share(1 - test.ShareBelow(0.5))} of the truths are above the " +
        "median of the draws";

    private static string Held(CalibrationKind kind, UniformityTest test) => kind is CalibrationKind.Coverage or CalibrationKind.Tarp
        ? $"Regions of 50 % and 90 % hold {DiagnosticText.Share(test.ShareBelow(0.5))} and {DiagnosticText.Share(test.ShareBelow(0.9))} " +
            "of the truths."
        : $"The central 90 % hold {DiagnosticText.Share(Central(test))} of the truths.";
}
