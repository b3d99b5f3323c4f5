using System.Text.Json;

namespace RealNvp;

/// <summary>The counters of a training that a checkpoint carries, as JSON.</summary>
internal sealed partial class TrainerState
{
    /// <summary>Optimizer steps done.</summary>
    public long Step { get; set; }

    /// <summary>Whole epochs done.</summary>
    public int Epoch { get; set; }

    /// <summary>Batches of the current epoch done.</summary>
    public long Batch { get; set; }

    /// <summary>The sum of the losses of the examples of the current epoch, times their weights.</summary>
    public double LossSum { get; set; }

    /// <summary>The number of examples of the current epoch.</summary>
    public long Examples { get; set; }

    /// <summary>The sum of the weights of these examples; null without weights, if it is their number.</summary>
    public double? WeightSum { get; set; }

    public double Seconds { get; set; }

    public double Best { get; set; } = double.PositiveInfinity;

    public int? BestEpoch { get; set; }

    public int EpochsWithoutGain { get; set; }

    public List<EpochRecord> History { get; set; } = [];

    /// <summary>What the user was warned of. Replaced, never changed: progress that was reported holds it.</summary>
    public IReadOnlyList<string> Warnings { get; set; } = [];

    /// <summary>The mean loss of the current epoch.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public double MeanLoss => LossSum / (WeightSum ?? Examples);

    /// <summary>Counts a step on a batch.</summary>
    /// <param name="examples">The number of its examples.</param>
    /// <param name="weight">The sum of their weights, or null without weights.</param>
    /// <param name="loss">Their mean loss.</param>
    public void Count(long examples, double? weight, double loss)
    {
        Step++;
        LossSum += loss * (weight ?? examples);
        if (weight is not null || WeightSum is not null) WeightSum = (WeightSum ?? Examples) + (weight ?? examples);
        Examples += examples;
        Batch++;
    }

    /// <summary>Begins the next epoch.</summary>
    public void NextEpoch() => (Batch, LossSum, WeightSum, Examples, Seconds) = (0, 0, null, 0, 0);

    public string ToJson() => FileJson.Write(this);

    /// <summary>Reads a state or the options of a training from a file of a format version.</summary>
    /// <param name="text">The JSON.</param>
    /// <param name="version">The format version of the file.</param>
    /// <param name="dropped">Hears of members that are not read any more.</param>
    /// <exception cref="InvalidDataException">It is no such record; the message names the member.</exception>
    public static T Read<T>(string text, int version, Action<string>? dropped = null) where T : class
    {
        try { return FileJson.Read<T>(text, version, dropped); }
        catch (Exception e) when (e is JsonException or NotSupportedException or ArgumentException or InvalidOperationException
            or FormatException)
        {
            throw new InvalidDataException($"The checkpoint's training state cannot be read: {FileText.Sentence(e.Message)}", e);
        }
    }
}
