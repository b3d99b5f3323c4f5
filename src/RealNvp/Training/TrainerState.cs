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

    /// <summary>The sum of -log p over the examples of the current epoch.</summary>
    public double LossSum { get; set; }

    /// <summary>The number of examples of the current epoch.</summary>
    public long Examples { get; set; }

    public double Seconds { get; set; }

    public double Best { get; set; } = double.PositiveInfinity;

    public int? BestEpoch { get; set; }

    public int EpochsWithoutGain { get; set; }

    public List<EpochRecord> History { get; set; } = [];

    /// <summary>What the user was warned of. Replaced, never changed: progress that was reported holds it.</summary>
    public IReadOnlyList<string> Warnings { get; set; } = [];

    public string ToJson() => FileJson.Write(this);

    /// <summary>Reads a state or the options of a training from a file of a format version.</summary>
    /// <param name="text">The JSON.</param>
    /// <param name="version">The format version of the file.</param>
    /// <param name="dropped">Hears of members that are not read any more.</param>
    /// <exception cref="InvalidDataException">It is no such record; the message names the member.</exception>
    public static T Read<T>(string text, int version, Action<string>? dropped = null) where T : class
    {
        try { return FileJson.Read<T>(text, version, dropped); }
        catch (Exception e) when (e is JsonException or NotSupportedException or ArgumentException or InvalidOperationException or FormatException)
        {
            throw new InvalidDataException($"The checkpoint's training state cannot be read: {e.Message}", e);
        }
    }
}
