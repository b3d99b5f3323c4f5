using System.Globalization;
using RealNvp.Describing;
using RealNvp.Internal;

namespace RealNvp;

/// <summary>What a comparison of two samples found: a statistic, and what it is if the samples are of one distribution.</summary>
public sealed record TwoSampleResult : DiagnosticResult
{
    /// <summary>How they were compared.</summary>
    public required TwoSampleKind Kind { get; init; }

    /// <summary>
    /// <see cref="TwoSampleKind.C2st"/>: the area under the ROC curve on held-out rows, 0.5 by chance. <see cref="TwoSampleKind.Mmd"/>:
    /// MMD², with its bias. <see cref="TwoSampleKind.SlicedWasserstein"/>: the mean of W₁ over directions, in standard deviations.
    /// </summary>
    public required double Statistic { get; init; }

    /// <summary>The statistic after each permutation of the labels.</summary>
    public required IReadOnlyList<double> Null { get; init => field = Listed<double>.Of(value)!; }

    /// <summary>The share of held-out rows that the classifier puts into the right sample, both samples counting alike; null for the
    /// other kinds.</summary>
    public double? Accuracy { get; init; }

    /// <summary>The rows of the first sample that were used, or the true values.</summary>
    public required int CountA { get; init; }

    /// <summary>The rows of the second sample that were used, or the draws.</summary>
    public required int CountB { get; init; }

    /// <summary>The numbers of a row, contexts included.</summary>
    public required int Features { get; init; }

    /// <summary>Whether true values were compared with draws under the same contexts: then labels are swapped within a row.</summary>
    public required bool IsPaired { get; init; }

    /// <inheritdoc/>
    public override string Words
    {
        get
        {
            var culture = CultureInfo.InvariantCulture;
            var samples = IsPaired
                ? string.Create(culture, $"{CountA:N0} true values from draws under the same contexts")
                : string.Create(culture, $"two samples of {CountA:N0} and {CountB:N0} rows");
            var found = Kind switch
            {
                TwoSampleKind.C2st => string.Create(culture, $"A classifier (C2ST) tells {samples} apart with an area under the curve of " +
                    $"{Statistic:0.000} and an accuracy of {DiagnosticText.Share(Accuracy ?? 0)} on held-out rows (0.5 and 50 % by " +
                        $"chance)"),
                TwoSampleKind.Mmd => string.Create(culture, $"The maximum mean discrepancy (MMD²) of {samples.Replace(" from ", " and ",
                    StringComparison.Ordinal)} is {Statistic:G3} ({Null.Average():G3} on average by chance)"),
                _ => string.Create(culture, $"The sliced Wasserstein distance of {samples.Replace(" from ", " and ",
                    StringComparison.Ordinal)} is {Statistic:G3} standard deviations ({Null.Average():G3} on average by chance)"),
            };
            return $"{found}: {Odds}. " + (IsRejected
                ? IsPaired ? "The density is not right." : "The samples are not of one distribution."
                : IsPaired ? "Nothing speaks against the density." : "Nothing speaks against one distribution.");
        }
    }

    /// <inheritdoc/>
    public override string ToHtml() => HtmlTable.Pairs(null, Rows(), [Words]);

    private IEnumerable<(string Name, string Value)> Rows()
    {
        var culture = CultureInfo.InvariantCulture;
        yield return ("comparison", Kind switch
        {
            TwoSampleKind.C2st => "C2ST, area under the curve", TwoSampleKind.Mmd => "MMD²", _ => "sliced Wasserstein",
        });
        yield return ("statistic", Statistic.ToString("G4", culture));
        yield return ("by chance", string.Create(culture, $"{Null.Average():G4} on average of {Null.Count:N0} permutations"));
        if (Accuracy is { } accuracy) yield return ("accuracy", DiagnosticText.Share(accuracy));
        yield return ("p", Odds[4..]);
        yield return ("rows", string.Create(culture, $"{CountA:N0} and {CountB:N0}, {Features} numbers each"));
    }
}
