using System.Globalization;
using RealNvp.Describing;

namespace RealNvp;

/// <summary>What the log-probability of a flow is: exact, exact but for a solver's error, off
/// by at most a stated number of nats, an unbiased estimate, or a lower bound.</summary>
/// <remarks>
/// <para>Each layer and each density says it of its own term, by <see cref="Bijection.Likelihood"/> and
/// <see cref="Density.Likelihood"/>; that of a whole is the fold of its parts by <see cref="With"/>: every
/// reservation of a part is one of the whole, and <see cref="Kind"/> is that of the worst part.</para>
/// <para>A value that nothing can change.</para>
/// </remarks>
[TypeFormatterSource(typeof(HtmlFormatterSource))]
public sealed record Likelihood
{
    private Likelihood() { }

    /// <summary>Exact up to rounding.</summary>
    public static Likelihood Exact { get; } = new();

    /// <summary>A lower bound on average over noise.</summary>
    public static Likelihood LowerBound { get; } = new() { IsBound = true };

    /// <summary>An unbiased estimate, whose standard error <c>Flow.LogProbWithErrors</c> gives.</summary>
    public static Likelihood Estimate { get; } = new() { IsEstimate = true };

    /// <summary>Exact but for the error of a numerical method.</summary>
    /// <param name="tolerance">The tolerance that the method is given, which is no
    /// bound of the error; positive and finite, or null if there is none.</param>
    public static Likelihood Numerical(double? tolerance) => tolerance is null or (> 0 and < double.PositiveInfinity)
        ? new() { IsNumerical = true, Tolerance = tolerance }
        : throw new ArgumentOutOfRangeException(nameof(tolerance), tolerance, "A tolerance must be positive and finite.");

    /// <summary>Off by at most a number of nats.</summary>
    /// <param name="error">The bound of the error of log p(x), in nats; positive. Infinite if there is none.</param>
    public static Likelihood Truncated(double error) => error > 0
        ? new() { MaxError = error }
        : throw new ArgumentOutOfRangeException(nameof(error), error, "The bound of an error must be positive.");

    /// <summary>
    /// log|det(I + J)| by the first n terms of its power series Σ (−1)ᵏ⁺¹ tr(Jᵏ)/k:
    /// with ‖J‖ ≤ c &lt; 1, what is left out is at most D·cⁿ⁺¹/((n+1)(1−c)).
    /// </summary>
    /// <param name="elements">D, the number of elements of an example; at least 1.</param>
    /// <param name="coefficient">c in 0 &lt; c &lt; 1.</param>
    /// <param name="terms">n, at least 0.</param>
    public static Likelihood OfSeries(long elements, double coefficient, int terms)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(elements, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(terms);
        if (!(coefficient is > 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(coefficient), coefficient,
                "The coefficient must be above 0 and below 1, for the series to converge.");
        var error = elements * Math.Pow(coefficient, terms + 1) / ((terms + 1) * (1 - coefficient));
        return error > 0 ? Truncated(error) : Exact;
    }

    /// <summary>The worst of what it is.</summary>
    public LikelihoodKind Kind => IsBound ? LikelihoodKind.LowerBound
        : IsEstimate ? LikelihoodKind.Estimate
        : MaxError > 0 ? LikelihoodKind.Truncated
        : IsNumerical ? LikelihoodKind.Numerical
        : LikelihoodKind.Exact;

    /// <summary>Whether it is a lower bound on average over noise, so that bits per dimension are an upper bound.</summary>
    public bool IsBound { get; private init; }

    /// <summary>Whether it is an estimate: it differs from draw to draw, and is right on average.</summary>
    public bool IsEstimate { get; private init; }

    /// <summary>Whether a numerical method with an error of its own has a part in it.</summary>
    public bool IsNumerical { get; private init; }

    /// <summary>The sum of the tolerances of the numerical methods, whose errors add up; null if there is none.</summary>
    public double? Tolerance { get; private init; }

    /// <summary>A bound in nats of what is left out on purpose; 0 if nothing is.</summary>
    public double MaxError { get; private init; }

    /// <summary>What a sum of two terms is: it has the reservations of both.</summary>
    /// <param name="other">What the other term is.</param>
    public Likelihood With(Likelihood other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (other == Exact) return this;
        if (this == Exact) return other;
        return new()
        {
            IsBound = IsBound || other.IsBound,
            IsEstimate = IsEstimate || other.IsEstimate,
            IsNumerical = IsNumerical || other.IsNumerical,
            Tolerance = Tolerance is { } a && other.Tolerance is { } b ? a + b : Tolerance ?? other.Tolerance,
            MaxError = MaxError + other.MaxError,
        };
    }

    /// <summary>In words, such as "exact" or "a lower bound".</summary>
    public override string ToString()
    {
        if (Kind == LikelihoodKind.Exact) return "exact";
        if (Kind == LikelihoodKind.Numerical)
            return Tolerance is { } given
                ? string.Create(CultureInfo.InvariantCulture, $"exact but for the error of a solver with tolerance {given:G2}")
                : "exact but for a numerical error";
        var words = new List<string>();
        if (IsBound) words.Add("a lower bound");
        if (IsEstimate) words.Add(MaxError > 0 ? "an estimate" : "an unbiased estimate");
        if (MaxError > 0) words.Add(string.Create(CultureInfo.InvariantCulture, $"off by at most {MaxError:G2} nats"));
        if (IsNumerical) words.Add(Tolerance is { } tolerance
            ? string.Create(CultureInfo.InvariantCulture, $"by a solver with tolerance {tolerance:G2}") : "with a numerical error");
        return string.Join(", ", words);
    }
}
