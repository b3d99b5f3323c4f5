using System.Text.Json;
using System.Text.Json.Serialization;

namespace RealNvp;

/// <summary>The counters of a training that a checkpoint carries, as JSON.</summary>
internal sealed class TrainerState
{
    private static readonly JsonSerializerOptions json = new()
    {
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        AllowOutOfOrderMetadataProperties = true,
        MaxDepth = 8,
    };

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

    public string ToJson() => JsonSerializer.Serialize(this, json);

    public static TrainerState FromJson(string text) => Read<TrainerState>(text);

    public static T Read<T>(string text)
    {
        try { return JsonSerializer.Deserialize<T>(text, json) ?? throw new JsonException("The JSON value is null."); }
        catch (Exception e) when (e is JsonException or NotSupportedException or ArgumentException)
        {
            throw new InvalidDataException($"The checkpoint's training state cannot be read: {e.Message}", e);
        }
    }

    public static string Write<T>(T value) => JsonSerializer.Serialize(value, json);
}
