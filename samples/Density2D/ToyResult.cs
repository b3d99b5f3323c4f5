using System.Text.Json;

namespace RealNvp.Samples.Density2D;

/// <summary>How a model fits one of the densities, as it stands beside its picture.</summary>
/// <param name="MeanLogProb">The mean of log p(x) of held-out points, in nats.</param>
/// <param name="StandardError">The standard error of that mean.</param>
/// <param name="Training">The processor time of the training, in seconds of one core.</param>
/// <param name="Scoring">The processor time of log p(x) of the held-out points, in seconds.</param>
internal sealed record ToyResult(double MeanLogProb, double StandardError, double Training, double Scoring)
{
    /// <summary>Writes the file.</summary>
    public void Save(string path) => File.WriteAllText(path, JsonSerializer.Serialize(this));

    /// <summary>Reads it again.</summary>
    /// <exception cref="InvalidDataException">It is no such file.</exception>
    public static ToyResult Load(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<ToyResult>(File.ReadAllText(path)) ?? throw new InvalidDataException($"{path} is empty.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path} is no result of this program: {e.Message}", e);
        }
    }
}
