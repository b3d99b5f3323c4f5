using System.Text.Json;

namespace RealNvp.Reproduce;

/// <summary>What a run ended with: one JSON file, from which the page of results is made.</summary>
internal sealed record RunResult
{
    public required string Recipe { get; init; }

    /// <summary>The mean of log p(x) of the test rows, in nats.</summary>
    public required double Test { get; init; }

    public required double StandardError { get; init; }

    /// <summary>The same of the rows that the epoch was chosen by.</summary>
    public required double Validation { get; init; }

    /// <summary>Test nats of a Gaussian with the mean and covariance of the training rows; null for images.</summary>
    public required double? Gaussian { get; init; }

    /// <summary>The same Gaussian's nats of rows to train on, and of those that validate: how far the parts differ by themselves. Null
    /// for images, and in results of before.</summary>
    public double? GaussianTrain { get; init; }

    /// <inheritdoc cref="GaussianTrain"/>
    public double? GaussianValidation { get; init; }

    /// <summary>D, the numbers of a row.</summary>
    public required long Dimensions { get; init; }

    /// <summary>What log p is: exact, a bound, an estimate.</summary>
    public required string Likelihood { get; init; }

    public required long Weights { get; init; }

    public required long Steps { get; init; }

    /// <summary>The epoch whose weights were tested: the best by validation.</summary>
    public required int? Epoch { get; init; }

    /// <summary>Minutes of the processor, all threads together.</summary>
    public required double Minutes { get; init; }

    public required RunEnd Ended { get; init; }

    public required long TrainRows { get; init; }

    public required long ValidationRows { get; init; }

    public required long TestRows { get; init; }

    public required int Threads { get; init; }

    public void Save(string path) => File.WriteAllText(path, JsonSerializer.Serialize(this, RunJson.Options) + "\n");

    /// <summary>Reads a result.</summary>
    /// <exception cref="InvalidDataException">It is no such file.</exception>
    public static RunResult Load(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<RunResult>(File.ReadAllText(path), RunJson.Options)
                ?? throw new InvalidDataException($"{path} is empty.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path} is no result of a run: {e.Message}", e);
        }
    }
}
