using System.Globalization;
using RealNvp.Internal;

namespace RealNvp;

/// <summary>What <see cref="TableFlow.Impute"/> gives: tables without missing cells, and how good the draws are.</summary>
public sealed class TableImputation
{
    internal TableImputation(IReadOnlyList<Table> tables, int draws, double[] logProb, double[] standardErrors, double[] effective,
        bool[] exact) =>
        (Tables, Draws, LogProb, StandardErrors, EffectiveSampleSizes, IsExact) = (tables, draws, Listed<double>.Of(logProb)!,
            Listed<double>.Of(standardErrors)!, Listed<double>.Of(effective)!, Listed<bool>.Of(exact)!);

    /// <summary>The tables; in each the missing cells are drawn anew from p(missing | known).</summary>
    public IReadOnlyList<Table> Tables { get; }

    /// <summary>The number of draws for a row.</summary>
    public int Draws { get; }

    /// <summary>For each row log p of its known cells, in nats.</summary>
    public IReadOnlyList<double> LogProb { get; }

    /// <summary>The standard errors of <see cref="LogProb"/>; 0 if it is exact.</summary>
    public IReadOnlyList<double> StandardErrors { get; }

    /// <summary>For each row (Σ w)²/Σ w² of the weights of its draws: how many draws of p(missing | known) they are worth.
    /// <see cref="Draws"/> where they are such draws; few of them say that more draws are needed.</summary>
    public IReadOnlyList<double> EffectiveSampleSizes { get; }

    /// <summary>For each row whether its draws are from p(missing | known) itself: nothing is missing, or only what comes
    /// last in the order of the density, or only categories and levels, all of which were tried.</summary>
    public IReadOnlyList<bool> IsExact { get; }

    /// <summary>How many rows are exact, and the worst of the others.</summary>
    public override string ToString()
    {
        var estimated = IsExact.Count(e => !e);
        var exactly = string.Create(CultureInfo.InvariantCulture, $"{IsExact.Count - estimated:N0} rows exactly");
        return estimated == 0 ? $"{exactly}." : exactly + string.Create(CultureInfo.InvariantCulture,
            $", {estimated:N0} by importance sampling with {Draws:N0} draws, worth " +
                $"{EffectiveSampleSizes.Where((_, r) => !IsExact[r]).Min():N0} " +
            $"or more.");
    }
}
