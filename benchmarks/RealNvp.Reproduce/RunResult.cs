using System.Text.Json;
using System.Text.Json.Serialization;

namespace RealNvp.Reproduce;

/// <summary>What a run ended with: one JSON file, from which the page of results is made.</summary>
internal sealed record RunResult(string Recipe, string Model, string Data, double Test, double StandardError)
{
    /// <summary>Held-out nats of a Gaussian with the mean and covariance of the training rows, on the same test rows.</summary>
    public required double Gaussian { get; init; }

    public required double Validation { get; init; }

    public required long Weights { get; init; }

    public required long Steps { get; init; }

    public required double Minutes { get; init; }

    /// <summary>Whether the training ended by itself: early stopping or the last step. Otherwise its time was over.</summary>
    public required bool Ended { get; init; }

    public required long TrainRows { get; init; }

    public required long TestRows { get; init; }

    public required int Seed { get; init; }

    public required string Machine { get; init; }

    public required JsonElement Options { get; init; }

    public required JsonElement Training { get; init; }

    private static readonly JsonSerializerOptions json = new()
    {
        WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    public void Save(string path) => File.WriteAllText(path, JsonSerializer.Serialize(this, json) + "\n");

    public static RunResult Load(string path) => JsonSerializer.Deserialize<RunResult>(File.ReadAllText(path), json)
        ?? throw new InvalidDataException($"{path} holds no result.");
}
