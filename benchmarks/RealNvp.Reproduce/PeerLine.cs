using System.Text.Json;
using System.Text.Json.Serialization;

namespace RealNvp.Reproduce;

/// <summary>What another library reached on the same rows: a line of benchmarks/peers/tables.py.</summary>
internal sealed record PeerLine
{
    public required string Peer { get; init; }

    public required string Data { get; init; }

    public required string Model { get; init; }

    public required long Weights { get; init; }

    /// <summary>By "updates" and by "minutes".</summary>
    public required Dictionary<string, PeerScore> Budgets { get; init; }

    /// <summary>All lines in a folder and those below it.</summary>
    public static List<PeerLine> All(string runs) => [.. Directory.EnumerateFiles(runs, "*.jsonl", SearchOption.AllDirectories)
        .Order(StringComparer.Ordinal).SelectMany(File.ReadLines).Select(l => JsonSerializer.Deserialize<PeerLine>(l, RunJson.Options)!)];
}

/// <summary>The score within a budget.</summary>
/// <param name="Test">Nats of the test rows.</param>
/// <param name="Steps">The updates.</param>
/// <param name="Minutes">Minutes of the processor.</param>
[method: JsonConstructor]
internal sealed record PeerScore(double Test, long Steps, double Minutes);
