using System.Globalization;
using RealNvp.Describing;

namespace RealNvp;

/// <summary>What importance sampling tells about a density p̃ and a flow q. The weights are w = p̃(x)/q(x) of samples x of q.</summary>
[TypeFormatterSource(typeof(HtmlFormatterSource))]
public sealed record ImportanceEstimate : IHtml
{
    /// <summary>N, the number of samples.</summary>
    public required long Count { get; init; }

    /// <summary>log Ẑ with Ẑ = Σ w/N, in nats: the estimate of log ∫p̃, the log evidence. Ẑ
    /// is unbiased; its logarithm is a little low on average. -∞ if all weights are 0.</summary>
    public required double LogZ { get; init; }

    /// <summary>
    /// The standard error of <see cref="LogZ"/> in nats, by the delta method: the standard deviation of w over √N times
    /// its mean. NaN for one sample, or if all weights are 0. It says nothing about places that q never visits.
    /// </summary>
    public required double StandardError { get; init; }

    /// <summary>Kish's (Σ w)²/Σ w², from 0 (all weights 0) or 1 to N: how many samples of p these are worth.</summary>
    public required double EffectiveSampleSize { get; init; }

    /// <summary>The largest weight over the sum of all, from 1/N to 1:
    /// near 1, a single sample decides. NaN if all weights are 0.</summary>
    public required double LargestShare { get; init; }

    /// <summary>The mean of log w in nats, the evidence lower bound:
    /// log Z less KL(q‖p), on average. -∞ if a weight is 0.</summary>
    public required double LowerBound { get; init; }

    /// <summary><see cref="EffectiveSampleSize"/> over <see cref="Count"/>, from 0 to 1; 1 if q = p.</summary>
    public double EffectiveShare => EffectiveSampleSize / Count;

    /// <summary>The numbers in words, in the invariant culture.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"log Z = {Measured.With(LogZ, StandardError)} nats by {Count:N0} samples, worth {EffectiveSampleSize:N0} of the density " +
            $"({EffectiveShare:P1}); " +
            $"lower bound {Measured.As(LowerBound, StandardError)}.");

    /// <summary>The same as HTML: a fragment without scripts, whose text is escaped. Notebooks show it by themselves.</summary>
    public string ToHtml() => HtmlTable.Pairs(null, Rows());

    private IEnumerable<(string Name, string Value)> Rows()
    {
        var culture = CultureInfo.InvariantCulture;
        yield return ("samples", Count.ToString("N0", culture));
        yield return ("log Z", $"{Measured.With(LogZ, StandardError)} nats");
        yield return ("effective samples", string.Create(culture, $"{EffectiveSampleSize:N0}, {EffectiveShare:P1} of all"));
        yield return ("largest weight", string.Create(culture, $"{LargestShare:P2} of their sum"));
        yield return ("lower bound", $"{Measured.As(LowerBound, StandardError)} nats");
    }
}
