using System.Text.Json;
using System.Text.Json.Serialization;

namespace RealNvp.Benchmarks;

/// <summary>What a worker says when its case is built: one line of JSON. The Python script says the same.</summary>
internal sealed record Ready(string Peer, string Case, IReadOnlyList<string> Phases, long Params, string Torch, bool Tuned)
{
    /// <summary>Whether it also obeys "count PHASE": what a phase asks libtorch for, and what it allocates.</summary>
    public bool Counts { get; init; }

    /// <summary>Why the case cannot be run; null where it can.</summary>
    public string? Error { get; init; }
}

/// <summary>The answer to "time PHASE ROUNDS", or to "count PHASE".</summary>
internal sealed record Timed(string Phase, IReadOnlyList<double> Times, double PeakRssMb, double RssBeforeMb)
{
    /// <summary>What went wrong; null where nothing did.</summary>
    public string? Error { get; init; }

    /// <summary>Operations that the phase asks libtorch for; null where they were not counted.</summary>
    public long? NativeCalls { get; init; }

    /// <summary>Operations in all, also those inside of others.</summary>
    public long? NestedCalls { get; init; }

    /// <summary>The most native memory in use during the phase beyond that before it, in MB; null where it was not measured.</summary>
    public double? WorkingMb { get; init; }

    /// <summary>Bytes of managed memory that the phase allocates.</summary>
    public long? ManagedBytes { get; init; }

    /// <summary>The collections of garbage while it was timed; null of another runtime.</summary>
    public int? Collections { get; init; }

    /// <summary>The methods that the JIT has compiled in this process so far, those that it compiled again counted again; null of another
    /// runtime.</summary>
    public long? Compiled { get; init; }
}

/// <summary>How the lines are written.</summary>
internal static class Protocol
{
    private static readonly JsonSerializerOptions json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    public static string Write<T>(T value) => JsonSerializer.Serialize(value, json);

    public static T Read<T>(string line) =>
        JsonSerializer.Deserialize<T>(line, json) ?? throw new JsonException($"No {typeof(T).Name}: {line}");
}
