using System.Globalization;
using RealNvp.Describing;

namespace RealNvp;

/// <summary>What training gave. As text it is a sentence or two for a log.</summary>
[TypeFormatterSource(typeof(HtmlFormatterSource))]
public sealed record TrainingResult : IHtml
{
    private const int ShownEpochs = 8;

    /// <summary>One record an epoch, those of resumed runs included. A cancelled epoch has none.</summary>
    public required IReadOnlyList<EpochRecord> History { get; init => field = Internal.Listed<EpochRecord>.Of(value)!; }

    /// <summary>The number of optimizer steps.</summary>
    public required long Step { get; init; }

    /// <summary>The epoch that validated best; null without validation.</summary>
    public required int? BestEpoch { get; init; }

    /// <summary>What was made small: <see cref="RealNvp.Objective.Name"/>.</summary>
    public string Objective { get; init; } = MaximumLikelihoodObjective.TheName;

    /// <summary>Why training ended.</summary>
    public required StopReason Reason { get; init; }

    /// <summary>The epoch whose weights the flow has now, as they were at its end; 0 for
    /// those from before training, null if they are from the middle of an epoch.</summary>
    /// <remarks>It is <see cref="BestEpoch"/> with <see cref="TrainingOptions.RestoreBest"/> and validation, else the last epoch.</remarks>
    public int? WeightsEpoch { get; init; }

    /// <summary>What the training was validated on, or why it was not.</summary>
    public ValidationSource Validation { get; init; }

    /// <summary>The number of examples that were held out of the data for validation; 0 if none.</summary>
    public long HeldOut { get; init; }

    /// <summary>What you should know about this training, one sentence each, in
    /// the order in which it was found; empty if there is nothing.</summary>
    /// <remarks>While training runs, <see cref="TrainingProgress.Warnings"/> has those found so far.</remarks>
    public IReadOnlyList<string> Warnings { get; init => field = Internal.Listed<string>.Of(value)!; } = [];

    /// <summary>What was done in words, such as "Stopped early after 34 epochs (952 steps),
    /// validated on 200 held-out examples; the weights are those of epoch 24."</summary>
    public override string ToString() => string.Join(' ', [Sentence, .. Warnings]);

    /// <summary>The same as HTML: a fragment without scripts, whose text is escaped. Notebooks show it by themselves.</summary>
    /// <remarks>It has a line for some of the epochs, with the first, the last
    /// and the one whose weights the flow has, which is bold.</remarks>
    public string ToHtml()
    {
        var culture = CultureInfo.InvariantCulture;
        var (bits, validated) = (History.Any(h => h.BitsPerDim is not null), History.Any(h => h.ValidationLoss is not null));
        string[] losses = validated ? ["training loss", "validation loss"] : ["loss"], likelihood = bits ? ["bits/dim"] : [];
        return HtmlTable.Columns(Sentence, ["epoch", "steps", .. losses, .. likelihood, "seconds"],
            Shown().Select(Row), Warnings);

        (IReadOnlyList<string>, bool) Row(EpochRecord h)
        {
            string[] dim = bits ? [Number(h.ValidationBitsPerDim ?? h.BitsPerDim)] : [];
            string[] both = validated ? [Number(h.Loss), Number(h.ValidationLoss)] : [Number(h.Loss)];
            return ([h.Epoch.ToString(culture), h.Step.ToString("N0", culture), .. both, .. dim, h.Seconds.ToString("0.0", culture)],
                h.Epoch == WeightsEpoch);
        }

        static string Number(double? value) => value is { } v ? v.ToString("0.000", CultureInfo.InvariantCulture) : "";
    }

    // as many epochs as can be read at a glance
    private IEnumerable<EpochRecord> Shown()
    {
        var places = Enumerable.Range(0, ShownEpochs).Select(i => (int)Math.Round(i * (History.Count - 1.0) / (ShownEpochs - 1)));
        return History.Where((h, i) => places.Contains(i) || h.Epoch == WeightsEpoch);
    }

    private string Sentence
    {
        get
        {
            var why = Reason switch
            {
                StopReason.EarlyStopped => "Stopped early",
                StopReason.Cancelled => "Cancelled",
                StopReason.TimeLimit => "Stopped at the time limit",
                _ => "Finished",
            };
            var validation = Validation switch
            {
                ValidationSource.Given => "validated on the data that were given for it",
                ValidationSource.HeldOut => string.Create(CultureInfo.InvariantCulture, $"validated on {HeldOut:N0} held-out examples"),
                _ => "without validation",
            };
            var epochs = History.Count(h => !h.IsPartial);
            var weights = WeightsEpoch is { } epoch ? $"those of epoch {epoch}" : "from the middle of an epoch";
            return string.Create(CultureInfo.InvariantCulture,
                $"{why} after {epochs} {(epochs == 1 ? "epoch" : "epochs")} ({Step:N0} steps), {validation}; the weights are {weights}.");
        }
    }
}
