using System.Globalization;

namespace RealNvp;

/// <summary>How <see cref="AnomalyDetector.Fit(DataRows, AnomalyOptions, IProgress{TrainingProgress}, CancellationToken)"/>
/// makes a detector. Nothing needs to be set.</summary>
public sealed record AnomalyOptions
{
    /// <summary>The names of the columns, for messages, explanations and the file; null for none.</summary>
    public IReadOnlyList<string>? Columns { get; init => field = Internal.Listed<string>.Of(value); }

    /// <summary>The part of the rows that is kept for p-values and not trained on, in (0, 0.9]; at most 2,000 rows are kept.
    /// Of n such rows, 1 / (n + 1) is the smallest p-value.</summary>
    public double CalibrationFraction { get; init; } = 0.2;

    /// <summary>What to build, for as many features as there are columns that are not constant;
    /// null for the preset that suits the numbers of rows and columns (docs/anomalies.md).</summary>
    public ModelOptions? Model { get; init; }

    /// <summary>How to train; null for the defaults of the model, and a minute at most.</summary>
    public TrainingOptions? Training { get; init; }

    /// <summary>Makes all of it repeatable: which rows are kept for p-values, the noise, the initial
    /// weights, and the training if <see cref="Training"/> is null.</summary>
    public long Seed { get; init; }

    /// <summary>Where to train; null for torch's default device.</summary>
    public TorchSharp.torch.Device? Device { get; init; }

    internal void Validate()
    {
        Internal.Check.Available(Device, nameof(Device));
        if (!(CalibrationFraction is > 0 and <= 0.9))
            throw new ArgumentException(string.Create(CultureInfo.InvariantCulture,
                $"{nameof(AnomalyOptions)}.{nameof(CalibrationFraction)} is the part of the rows that is kept for p-values, in (0, 0.9]; " +
                $"got {CalibrationFraction}."), nameof(CalibrationFraction));
    }
}
