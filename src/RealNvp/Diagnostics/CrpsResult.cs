using System.Globalization;
using RealNvp.Describing;
using RealNvp.Internal;

namespace RealNvp;

/// <summary>What <see cref="Diagnostics"/> found by the continuous ranked probability score of one number: how good predictions are, and
/// whether they are as good as they say.</summary>
/// <remarks>CRPS = E|X − y| − ½ E|X − X'| for draws X, X' and the true value y, in the unit of the number; small is good, and for a
/// prediction without spread it is the absolute error (Gneiting and Raftery 2007).</remarks>
public sealed record CrpsResult : DiagnosticResult
{
    /// <summary>What was predicted.</summary>
    public required string Name { get; init; }

    /// <summary>N, the number of rows.</summary>
    public required int Count { get; init; }

    /// <summary>The mean CRPS, in the unit of the number.</summary>
    public required double Mean { get; init; }

    /// <summary>The standard error of <see cref="Mean"/>; NaN for one row.</summary>
    public required double StandardError { get; init; }

    /// <summary>The mean of ½ E|X − X'|: the CRPS that the density expects of itself. The p-value is of the difference.</summary>
    public required double Expected { get; init; }

    /// <summary>The mean CRPS of a prediction that ignores the context: the true values of all other rows. NaN for one row.</summary>
    public required double WithoutContext { get; init; }

    /// <summary>1 − <see cref="Mean"/>/<see cref="WithoutContext"/>: 1 is perfect, 0 no better than without the context.</summary>
    public double Skill => 1 - (Mean / WithoutContext);

    /// <summary>Groups of rows of rising expected CRPS, up to ten: what the density expects, on average.</summary>
    public required IReadOnlyList<double> GroupExpected { get; init => field = Listed<double>.Of(value)!; }

    /// <summary>The mean CRPS of each group.</summary>
    public required IReadOnlyList<double> GroupObserved { get; init => field = Listed<double>.Of(value)!; }

    /// <summary>The standard error of each mean.</summary>
    public required IReadOnlyList<double> GroupErrors { get; init => field = Listed<double>.Of(value)!; }

    /// <inheritdoc/>
    public override string Words
    {
        get
        {
            var culture = CultureInfo.InvariantCulture;
            var skill = double.IsFinite(Skill) ? $", {DiagnosticText.Share(Math.Abs(Skill))} {(Skill >= 0 ? "better" : "worse")} than " +
                "without the context" : "";
            var head = string.Create(culture, $"The CRPS of {Name} is {Measured.With(Mean, StandardError)} over " +
                $"{DiagnosticText.Count(Count, "row")}{skill}; the density expects {Measured.As(Expected, StandardError)}: {Odds}. ");
            return head + (!IsRejected ? "Nothing speaks against the density."
                : Mean > Expected ? "Predictions are worse than they say: too narrow or shifted."
                : "Predictions are better than they say: too wide.");
        }
    }

    /// <inheritdoc/>
    public override string ToHtml() => HtmlTable.Pairs(null, Rows(), [Words]);

    private IEnumerable<(string Name, string Value)> Rows()
    {
        yield return ("CRPS", Measured.With(Mean, StandardError));
        yield return ("expected", Measured.As(Expected, StandardError));
        if (double.IsFinite(WithoutContext)) yield return ("without the context", Measured.As(WithoutContext, StandardError));
        yield return ("p", Odds[4..]);
        yield return ("rows", Count.ToString("N0", CultureInfo.InvariantCulture));
    }
}
