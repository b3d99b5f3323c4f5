using RealNvp.Internal;

namespace RealNvp;

/// <summary>How a <see cref="ResidualLayer"/> has its log-determinant: exact for few features, by an estimate for many.</summary>
/// <remarks>
/// An estimate is unbiased with <see cref="ResidualSeries.Roulette"/>: its mean over draws is the log-determinant, and its spread
/// over probes gives its standard error (<see cref="ResidualLayer.EstimateLogDet"/>). The same seed gives the same estimate.
/// </remarks>
public sealed record ResidualLogDet
{
    /// <summary>Exact up to so many features or pixels, by the Jacobian: D tangents
    /// of an example, and one determinant. 0 estimates always.</summary>
    public int ExactUpTo { get; init; } = 16;

    /// <summary>What is estimated beyond <see cref="ExactUpTo"/>.</summary>
    public ResidualSeries Series { get; init; } = ResidualSeries.Roulette;

    /// <summary>In training, the terms before the roulette; of a truncated series, all of its terms.</summary>
    public int Terms { get; init; } = 2;

    /// <summary>In evaluation, the terms before the roulette, or all of a truncated series.</summary>
    public int EvaluationTerms { get; init; } = 20;

    /// <summary>The distribution of the number of further terms.</summary>
    public RouletteKind Roulette { get; init; } = RouletteKind.Geometric;

    /// <summary>p of the geometric distribution, in 0.05 ... 0.95; of the Poisson distribution, its mean, in 0.05 ... 20.</summary>
    public double RouletteParameter { get; init; } = 0.5;

    /// <summary>The random vectors.</summary>
    public HutchinsonProbe Probe { get; init; } = HutchinsonProbe.Rademacher;

    /// <summary>In training, the probes that an estimate is the mean of.</summary>
    public int Probes { get; init; } = 1;

    /// <summary>In evaluation, the probes that an estimate is the mean of; with 2 or more it has a standard error.</summary>
    public int EvaluationProbes { get; init; } = 8;

    /// <summary>
    /// Takes the gradient by a Neumann series (arXiv 1906.02735, section 3.2), whose memory does not grow with the number of
    /// terms. False differentiates the estimate itself, term by term. The value is the estimate of the log-determinant in both.
    /// </summary>
    public bool NeumannGradient { get; init; } = true;

    /// <summary>Whether an example of so many features has an exact log-determinant.</summary>
    public bool IsExact(long features) => features <= ExactUpTo;

    /// <summary>What is wrong with it: the name of a member, its value, and the rule; null if all is well.</summary>
    internal (string Member, object Value, string Rule)? Fault()
    {
        if (ExactUpTo is < 0 or > 4096) return (nameof(ExactUpTo), ExactUpTo, "must be in 0 ... 4096");
        if (!Enum.IsDefined(Series)) return (nameof(Series), Series, "must be a defined value");
        if (Terms is < 1 or > 1000) return (nameof(Terms), Terms, "must be in 1 ... 1000");
        if (EvaluationTerms is < 1 or > 1000) return (nameof(EvaluationTerms), EvaluationTerms, "must be in 1 ... 1000");
        if (!Enum.IsDefined(Roulette)) return (nameof(Roulette), Roulette, "must be a defined value");
        var most = Roulette == RouletteKind.Geometric ? 0.95 : 20;
        if (!(RouletteParameter >= 0.05 && RouletteParameter <= most))
            return (nameof(RouletteParameter), RouletteParameter, string.Create(System.Globalization.CultureInfo.InvariantCulture,
                $"must be in 0.05 ... {most}"));
        if (!Enum.IsDefined(Probe)) return (nameof(Probe), Probe, "must be a defined value");
        if (Probes is < 1 or > 1000) return (nameof(Probes), Probes, "must be in 1 ... 1000");
        return EvaluationProbes is < 1 or > 1000 ? (nameof(EvaluationProbes), EvaluationProbes, "must be in 1 ... 1000") : null;
    }

    /// <summary>Throws if a member is out of range.</summary>
    internal void Check()
    {
        if (Fault() is var (member, value, rule))
            throw new ArgumentOutOfRangeException(member, value, $"{nameof(ResidualLogDet)}.{member} {rule}.");
    }

    /// <summary>The name of the record and its members with their values, for all cultures alike.</summary>
    public override string ToString() => Describing.RecordText.Of(nameof(ResidualLogDet), PrintMembers);
}
