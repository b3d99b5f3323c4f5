using System.Globalization;
using RealNvp.Describing;
using RealNvp.Internal;

namespace RealNvp;

/// <summary>What <see cref="TableFlow.Fit"/> did and what came of it. As text it is a paragraph for a log.</summary>
public sealed record TableReport
{
    /// <summary>The number of rows that were trained on.</summary>
    public required int TrainingRows { get; init; }

    /// <summary>How many rows of the table have missing cells. Their known cells were trained on.</summary>
    public required int IncompleteRows { get; init; }

    /// <summary>The number of rows that were held out.</summary>
    public required int HeldOutRows { get; init; }

    /// <summary>The mean log p of the known cells of held-out rows, in nats, in the user's units. They chose the epoch.</summary>
    public required double HeldOutLogProb { get; init; }

    /// <summary>Its standard error.</summary>
    public required double StandardError { get; init; }

    /// <summary>The epochs of the training, and why it ended.</summary>
    public required TrainingResult Result { get; init; }

    /// <summary>The time that it took.</summary>
    public required TimeSpan Duration { get; init; }

    /// <summary>What the proposal of the schema left out and why (<see cref="TableSchema.Notes"/>), in sentences; empty if a schema was
    /// given, or if there is nothing to say.</summary>
    public IReadOnlyList<string> Notes { get; init => field = Listed<string>.Of(value)!; } = [];

    /// <summary>What was done and what came of it, in words.</summary>
    public override string ToString()
    {
        var culture = CultureInfo.InvariantCulture;
        var incomplete = IncompleteRows > 0 ? string.Create(culture, $" ({IncompleteRows:N0} of all have missing cells)") : "";
        return string.Create(culture, $"Mean log p of {HeldOutRows:N0} held-out rows: {Measured.With(HeldOutLogProb, StandardError)} " +
            $"nats; of {TrainingRows:N0} rows trained on{incomplete}. {Result} It took {Duration.TotalSeconds:0.0} s.") +
            string.Concat(Notes.Select(note => $" {note}"));
    }
}
