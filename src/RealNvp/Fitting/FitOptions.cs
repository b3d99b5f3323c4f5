using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>How <see cref="FlowModel.Fit(DataRows, DataRows, FitOptions, IProgress{TrainingProgress}, CancellationToken)"/>
/// fits a model. Nothing needs to be set.</summary>
public sealed record FitOptions
{
    /// <summary>What to build; null for the preset that suits the numbers of rows and columns (docs/presets.md).</summary>
    public ModelOptions? Model { get; init; }

    /// <summary>How to train; null for the defaults of the model.</summary>
    public TrainingOptions? Training { get; init; }

    /// <summary>The part of the rows that is held out: on these the training stops, and the report has their score; in (0, 0.9].</summary>
    public double HeldOut { get; init; } = 0.1;

    /// <summary>The names of the columns, for messages and for the file; null for none.</summary>
    public IReadOnlyList<string>? Columns { get; init => field = Internal.Listed<string>.Of(value); }

    /// <summary>The names of the columns of the context; null for none.</summary>
    public IReadOnlyList<string>? ContextColumns { get; init => field = Internal.Listed<string>.Of(value); }

    /// <summary>Makes all of it repeatable: which rows are held out, the initial
    /// weights, and the training if <see cref="Training"/> is null.</summary>
    public long Seed { get; init; }

    /// <summary>A file that the training writes at the end of epochs and if it is cancelled, and that the same call with the same rows,
    /// options and seed goes on from if it is there; null for none. It is removed when the model is there.</summary>
    /// <remarks>The file knows of which rows, columns and options it is: others are refused. Only how long to train may be another one
    /// (<see cref="TrainingOptions.Epochs"/>, MaxSteps, MaxDuration, Patience), how often the file is written, and the device.</remarks>
    public string? CheckpointPath { get; init; }

    /// <summary>Where to train; null for torch's default device.</summary>
    public Device? Device { get; init; }

    internal FitCheckpoint Checkpoint => new(CheckpointPath, nameof(FitOptions));

    internal void Validate(long columns, long contextColumns)
    {
        Internal.Check.Available(Device, nameof(Device));
        Checkpoint.Check(Training);
        if (!(HeldOut is > 0 and <= 0.9))
            throw Fault(nameof(HeldOut), string.Create(CultureInfo.InvariantCulture,
                $"is the part of the rows that is held out, in (0, 0.9]; got {HeldOut}"));
        CheckNames(Columns, columns, nameof(Columns));
        CheckNames(ContextColumns, contextColumns, nameof(ContextColumns));
        if (Model is null) return;
        if (Model.Shape.Count != 1 || Model.Shape[0] != columns)
            throw Fault(nameof(Model),
                $"is for examples of shape {Model.Shape}, but the rows have {columns} column(s). Give options for ({columns},), or null " +
                $"for a preset");
        if (Model.ContextSize != contextColumns)
            throw Fault(nameof(Model),
                $"has {nameof(ModelOptions.ContextSize)} = {Model.ContextSize}, but the context has {contextColumns} column(s)");
    }

    private static void CheckNames(IReadOnlyList<string>? names, long count, string property)
    {
        if (names is null) return;
        if (names.Count != count) throw Fault(property, $"has {names.Count} name(s) for {count} column(s)");
        if (names.Any(string.IsNullOrWhiteSpace)) throw Fault(property, "has an empty name. Name each column, or none");
        if (!names.All(Internal.Check.IsText)) throw Fault(property, "has a name with half of a surrogate pair, which no file can hold");
    }

    private static ArgumentException Fault(string property, string what) =>
        new(FormattableString.Invariant($"{nameof(FitOptions)}.{property} {what}."), property);

    /// <summary>The name of the record and its members with their values, for all cultures alike.</summary>
    public override string ToString() => Describing.RecordText.Of(nameof(FitOptions), PrintMembers);
}
