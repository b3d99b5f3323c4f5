using System.Globalization;

namespace RealNvp.ML;

/// <summary>How <see cref="NormalizingFlowTrainer"/> trains. Nothing needs to be set.</summary>
public sealed record NormalizingFlowOptions
{
    /// <summary>The share of ordinary rows that may be called anomalies, in (0, 1): <c>PredictedLabel</c> is true for a row that scores as
    /// high as this share of the rows that were kept aside. Null for 0.01, or for the smallest share that so few rows can tell:
    /// 1 / (n + 1) of n rows kept aside.</summary>
    public double? FalseAlarms { get; init; }

    /// <summary>Makes all of it repeatable; null for a number that is drawn from the <c>MLContext</c>, which repeats itself if that has a
    /// seed.</summary>
    public long? Seed { get; init; }

    /// <summary>The flows and their training, and which rows are kept aside. Its <see cref="AnomalyOptions.Seed"/> is not used:
    /// <see cref="Seed"/> is. The names of columns are those of the slots, unless <see cref="AnomalyOptions.Columns"/> has some.</summary>
    public AnomalyOptions Detector { get; init; } = new();

    internal void Validate()
    {
        if (FalseAlarms is { } rate && !(rate is > 0 and < 1))
            throw new ArgumentException(string.Create(CultureInfo.InvariantCulture,
                $"{nameof(NormalizingFlowOptions)}.{nameof(FalseAlarms)} is a share in (0, 1), such as 0.01; got {rate}."),
                    nameof(FalseAlarms));
        ArgumentNullException.ThrowIfNull(Detector);
    }

    /// <summary>The name of the record and its members with their values, for all cultures alike.</summary>
    public override string ToString() => Describing.RecordText.Of(nameof(NormalizingFlowOptions), PrintMembers);
}
