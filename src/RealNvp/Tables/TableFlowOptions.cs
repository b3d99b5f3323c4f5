using System.Globalization;
using RealNvp.Internal;

namespace RealNvp;

/// <summary>How <see cref="TableFlow.Fit"/> fits a density to a table. Nothing needs to be set.</summary>
public sealed record TableFlowOptions
{
    /// <summary>The names of columns in the order in which the density goes through them; those that are not named follow in the order of
    /// the
    /// schema. What is often known stands first: what is missing after the last known column is imputed exactly.</summary>
    public IReadOnlyList<string>? Order { get; init => field = Listed<string>.Of(value); }

    /// <summary>The hidden units of the network, 1 to 8192; null for what suits the number of rows.</summary>
    public int? Hidden { get; init; }

    /// <summary>The residual blocks of the network, 0 to 16.</summary>
    public int Blocks { get; init; } = 2;

    /// <summary>The bins of the spline of a column of numbers, 1 to 64; null for what suits the number of rows.</summary>
    public int? Bins { get; init; }

    /// <summary>The part of hidden units that a training step leaves out, in [0, 0.9]; null for what suits the number of rows.</summary>
    public double? Dropout { get; init; }

    /// <summary>The part of the rows that is held out: on these the training stops; in (0, 0.9].</summary>
    public double HeldOut { get; init; } = 0.1;

    /// <summary>How to train; null for what suits the number of rows, in at most 20,000 steps.</summary>
    public TrainingOptions? Training { get; init; }

    /// <summary>Makes all of it repeatable.</summary>
    public long Seed { get; init; }

    /// <summary>A file that the training writes at the end of epochs and if it is cancelled, and that the same call with the same rows,
    /// options and seed goes on from if it is there; null for none. It is removed when the density is there.</summary>
    /// <remarks>The file knows of which rows, schema and options it is: others are refused. Only how long to train may be another one
    /// (<see cref="TrainingOptions.Epochs"/>, MaxSteps, MaxDuration, Patience), and how often the file is written.</remarks>
    public string? CheckpointPath { get; init; }

    internal FitCheckpoint Checkpoint => new(CheckpointPath, nameof(TableFlowOptions));

    internal void Validate(TableSchema schema)
    {
        Checkpoint.Check(Training);
        Require(Hidden is null or (>= 1 and <= 8192), nameof(Hidden), Hidden, "must be null or 1 to 8192");
        Require(Blocks is >= 0 and <= 16, nameof(Blocks), Blocks, "must be 0 to 16");
        Require(Bins is null or (>= 1 and <= 64), nameof(Bins), Bins, "must be null or 1 to 64");
        Require(Dropout is null or (>= 0 and <= 0.9), nameof(Dropout), Dropout, "must be null or in [0, 0.9]");
        Require(HeldOut is > 0 and <= 0.9, nameof(HeldOut), HeldOut, "must be in (0, 0.9]");
        if (Order is null) return;
        foreach (var name in Order)
            Require(schema.Columns.Any(c => c.Name == name), nameof(Order), name,
                $"must name columns of the schema, {string.Join(", ", schema.Columns.Select(c => c.Name))}");
        Require(NameCheck.Twice(Order) is null, nameof(Order), Order, "has a name twice");
    }

    /// <summary>The places in the schema in the order of the density.</summary>
    internal int[] OrderOf(TableSchema schema)
    {
        var names = schema.Columns.Select(c => c.Name).ToList();
        int[] first = [.. (Order ?? []).Select(name => names.IndexOf(name))];
        return [.. first, .. Enumerable.Range(0, names.Count).Except(first)];
    }

    private static void Require(bool holds, string name, object? value, string rule)
    {
        if (!holds)
            throw new ArgumentException(string.Create(CultureInfo.InvariantCulture,
                $"{nameof(TableFlowOptions)}.{name} {rule}; got {value ?? "null"}."), name);
    }

    /// <summary>The name of the record and its members with their values, for all cultures alike.</summary>
    public override string ToString() => Describing.RecordText.Of(nameof(TableFlowOptions), PrintMembers);
}
