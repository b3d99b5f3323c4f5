using RealNvp.Describing;
using RealNvp.Internal;

namespace RealNvp;

/// <summary>What <see cref="Diagnostics"/> found by values that are uniform
/// if the density is right, such as ranks: whether they are.</summary>
/// <remarks>
/// Each quantity has a p-value of its own. <see cref="DiagnosticResult.PValue"/> is of all together: of the oddest of several quantities it
/// is found by taking, in each row, one of the draws for the true value in its place, at random and many times. True value and draws
/// are exchangeable if the density is right, so this is exact however the quantities depend on each other.
/// </remarks>
public sealed record CalibrationResult : DiagnosticResult
{
    /// <summary>Which diagnostic it is.</summary>
    public required CalibrationKind Kind { get; init; }

    /// <summary>The quantities that were looked at, each with its distribution function, band and p-value.</summary>
    public required IReadOnlyList<UniformityTest> Tests { get; init => field = Listed<UniformityTest>.Of(value)!; }

    /// <inheritdoc/>
    public override string Words => CalibrationWords.Of(this);

    /// <inheritdoc/>
    public override string ToHtml() => HtmlTable.Columns(CalibrationWords.Title(this),
        ["quantity", "p", "mean", "spread", "central 90 % hold", "it says"],
        Tests.Select(t => ((IReadOnlyList<string>)[t.Name, DiagnosticText.Odds(t.PValue)[4..], CalibrationWords.Number(t.Mean),
            CalibrationWords.Number(t.Spread), DiagnosticText.Share(CalibrationWords.Central(t)),
            t.PValue <= Level ? CalibrationWords.Fault(Kind, t) : "as it should be"], t.PValue <= Level)), [Words]);
}
