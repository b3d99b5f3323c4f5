namespace RealNvp.Internal;

/// <summary>Standard deviations of numbers of any size: no square of theirs is lost or infinite.</summary>
internal static class Spread
{
    /// <summary>The root of the mean square distance from a point.</summary>
    /// <param name="values">At least one, finite.</param>
    /// <param name="centre">The point; null for their mean.</param>
    public static double Of(IReadOnlyCollection<double> values, double? centre = null)
    {
        var from = centre ?? values.Average();
        var most = values.Max(v => Math.Abs(v - from));
        return most > 0 && double.IsFinite(most) ? most * Math.Sqrt(values.Average(v => (v - from) / most * ((v - from) / most))) : most;
    }
}
