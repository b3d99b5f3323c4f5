using System.Globalization;
using RealNvp.Describing;

namespace RealNvp;

/// <summary>How well a flow describes a data set.</summary>
[TypeFormatterSource(typeof(HtmlFormatterSource))]
public sealed record Evaluation : IHtml
{
    /// <summary>The number of examples.</summary>
    public required long Count { get; init; }

    /// <summary>The mean of log p(x) in nats; minus infinity if that of one example is, as outside of the support.</summary>
    public required double MeanLogProb { get; init; }

    /// <summary>The standard error of that mean in nats; NaN for one example, or if the mean is minus infinity.</summary>
    public required double StandardError { get; init; }

    /// <summary>-log₂ p(x)/D, averaged.</summary>
    public required double BitsPerDim { get; init; }

    /// <summary>What these are: exact, bounds, estimates. See <see cref="Flow.Likelihood"/>.
    /// The standard error counts the noise of estimates too.</summary>
    public required Likelihood Likelihood { get; init; }

    /// <summary>The number of examples whose log p(x) is finite; the others lie outside
    /// of the support, or their density is below what the dtype can hold.</summary>
    public long FiniteCount { get; init; }

    /// <summary>The mean of log p(x) in nats over the examples if it is finite; NaN if there is none.</summary>
    public double FiniteMeanLogProb { get; init; }

    /// <summary>
    /// The largest error of x → z → x over a few examples, relative to the largest magnitude of each element; infinite if
    /// the inverse fails, null if it was not tried. <see cref="Warnings"/> names the layer at fault if the error is large.
    /// </summary>
    public double? RoundTripError { get; init; }

    /// <summary>What a reader of these numbers should know, one sentence each; empty if there is nothing.</summary>
    public IReadOnlyList<string> Warnings { get; init => field = Internal.Listed<string>.Of(value)!; } = [];

    /// <summary>The numbers in words, in the invariant culture, and the warnings, one a line.</summary>
    public override string ToString()
    {
        var finite = FiniteCount == Count ? ""
            : string.Create(CultureInfo.InvariantCulture, $"; finite for {FiniteCount:N0}, whose mean is {FiniteMeanLogProb:G6}");
        var inverse = RoundTripError is { } trip ? string.Create(CultureInfo.InvariantCulture, $"; x → z → x to {trip:G2}") : "";
        var numbers = string.Create(CultureInfo.InvariantCulture,
            $"Mean log p(x) of {Count:N0} " +
                $"example{(Count == 1 ? "" : "s")}{(Likelihood.Kind == LikelihoodKind.Exact ? "" : $", {Likelihood}")}: " +
                $"{Measured.With(MeanLogProb, StandardError)} nats, {BitsPerDim:0.###} bits per dimension{finite}{inverse}.");
        return string.Join('\n', [numbers, .. Warnings]);
    }

    /// <summary>The same as HTML: a fragment without scripts, whose text is escaped. Notebooks show it by themselves.</summary>
    public string ToHtml() => HtmlTable.Pairs(null, Rows(), Warnings);

    private IEnumerable<(string Name, string Value)> Rows()
    {
        var culture = CultureInfo.InvariantCulture;
        yield return ("examples", Count.ToString("N0", culture));
        yield return ("mean log p(x)", $"{Measured.With(MeanLogProb, StandardError)} nats");
        yield return ("bits per dimension", BitsPerDim.ToString("0.###", culture));
        if (Likelihood.Kind != LikelihoodKind.Exact) yield return ("log p(x) is", Likelihood.ToString());
        if (FiniteCount != Count)
            yield return ("finite", string.Create(culture, $"{FiniteCount:N0} examples, whose mean is {FiniteMeanLogProb:G6} nats"));
        if (RoundTripError is { } error) yield return ("x → z → x", string.Create(culture, $"to {error:G2}"));
    }
}
