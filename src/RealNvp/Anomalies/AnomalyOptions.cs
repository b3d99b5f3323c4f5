using System.Globalization;

namespace RealNvp;

/// <summary>How <see cref="AnomalyDetector.Fit(DataRows, AnomalyOptions, IProgress{TrainingProgress}, CancellationToken)"/>
/// makes a detector. Nothing needs to be set.</summary>
public sealed record AnomalyOptions
{
    /// <summary>The most <see cref="Members"/>.</summary>
    internal const int MostMembers = 64;

    /// <summary>The names of the columns, for messages, explanations and the file; null for none.</summary>
    public IReadOnlyList<string>? Columns { get; init => field = Internal.Listed<string>.Of(value); }

    /// <summary>What the score of a row says.</summary>
    public AnomalyScoreKind Score { get; init; } = AnomalyScoreKind.Latent;

    /// <summary>How many flows there are, whose scores are averaged, 1 to 64. Each has its own initial weights and stops on other rows;
    /// every second one sees whitened columns.</summary>
    public int Members { get; init; } = 4;

    /// <summary>The deviation of normal noise that is added in training, as a part of that of each column (of each whitened one where
    /// there is a whitening), in [0, 1]: it keeps a density of few rows smooth. Rows are scored without noise.</summary>
    public double Jitter { get; init; } = 0.1;

    /// <summary>The part of the rows that is kept for p-values and not trained on, in (0, 0.9]; at most 1,999 rows are kept, and if
    /// it is 99 or more, 99, 199, ... of them: so a whole percentage of false alarms is met and not only kept to.
    /// Of n such rows, 1 / (n + 1) is the smallest p-value.</summary>
    public double CalibrationFraction { get; init; } = 0.2;

    /// <summary>What each member is, for as many features as there are columns that are not constant;
    /// null for the preset that suits the numbers of rows and columns (docs/anomalies.md).</summary>
    public ModelOptions? Model { get; init; }

    /// <summary>How to train each member, whose seed is added to that of these options; null for what suits the number of rows.</summary>
    public TrainingOptions? Training { get; init; }

    /// <summary>The time for the training of all members together; null for no
    /// limit. Members for which none is left are left out.</summary>
    public TimeSpan? MaxDuration { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Makes all of it repeatable, unless time ends a training: which rows are kept for p-values, the noise, the initial
    /// weights, and the training if <see cref="Training"/> is null.</summary>
    public long Seed { get; init; }

    /// <summary>A file that the training writes at the end of epochs and if it is cancelled, and that the same call with the same rows,
    /// options and seed goes on from if it is there; null for none. Each member has one, with its number
    /// before the extension. They are removed when the detector is there.</summary>
    /// <remarks>The files know of which rows, columns and options they are: others are refused. Only how long to train may be another one
    /// (<see cref="MaxDuration"/>; Epochs, MaxSteps, MaxDuration and Patience of the training), how often the files are written, the
    /// device, and the score.</remarks>
    public string? CheckpointPath { get; init; }

    /// <summary>Where to train; null for torch's default device.</summary>
    public TorchSharp.torch.Device? Device { get; init; }

    internal FitCheckpoint Checkpoint => new(CheckpointPath, nameof(AnomalyOptions));

    internal void Validate()
    {
        Internal.Check.Available(Device, nameof(Device));
        Checkpoint.Check(Training, parts: true);
        Require(CalibrationFraction is > 0 and <= 0.9, nameof(CalibrationFraction),
            "is the part of the rows that is kept for p-values, in (0, 0.9]", CalibrationFraction);
        Require(Members is >= 1 and <= MostMembers, nameof(Members), "is the number of flows, 1 to 64", Members);
        Require(Jitter is >= 0 and <= 1, nameof(Jitter), "is a part of the deviations of the columns, in [0, 1]", Jitter);
        Require(Enum.IsDefined(Score), nameof(Score), "must be a defined value", (double)Score);
        Require(MaxDuration is null || MaxDuration > TimeSpan.Zero, nameof(MaxDuration), "must be null or positive, in seconds",
            MaxDuration?.TotalSeconds ?? 0);
    }

    private static void Require(bool holds, string name, string rule, double value)
    {
        if (!holds)
            throw new ArgumentException(
                string.Create(CultureInfo.InvariantCulture, $"{nameof(AnomalyOptions)}.{name} {rule}; got {value}."), name);
    }

    /// <summary>The name of the record and its members with their values, for all cultures alike.</summary>
    public override string ToString() => Describing.RecordText.Of(nameof(AnomalyOptions), PrintMembers);
}
