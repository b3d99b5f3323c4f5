using System.Globalization;

namespace RealNvp;

/// <summary>Numbers of diagnostics in words.</summary>
internal static class DiagnosticText
{
    /// <summary>For instance "p = 0.31" or "p &lt; 1e-6".</summary>
    public static string Odds(double pValue) => pValue < 1e-6 ? "p < 1e-6"
        : string.Create(CultureInfo.InvariantCulture, $"p = {pValue:G2}");

    /// <summary>For instance "12.5 %".</summary>
    public static string Share(double share) => string.Create(CultureInfo.InvariantCulture, $"{100 * share:0.#} %");

    /// <summary>A number of things.</summary>
    public static string Count(long count, string one, string? more = null) =>
        string.Create(CultureInfo.InvariantCulture, $"{count:N0} {(count == 1 ? one : more ?? one + "s")}");
}
