using static TorchSharp.torch;

namespace RealNvp.Benchmarks;

/// <summary>One workload: a flow and its data. Sizes are those at which the Python libraries are timed, so that tables compare.</summary>
/// <param name="Name">The name that the Python script uses too.</param>
/// <param name="Batch">The number of examples of a step, a log-probability or a sample.</param>
/// <param name="GigaFlop">The arithmetic of one log-probability in its matrix
/// products and convolutions. A training step has three times that.</param>
/// <param name="Make">Makes the flow, in training mode.</param>
/// <param name="Data">Makes a batch.</param>
public sealed record BenchmarkCase(string Name, int Batch, double GigaFlop, Func<Flow> Make, Func<Tensor> Data)
{
    /// <summary>What is timed.</summary>
    public IReadOnlyList<string> Phases { get; init; } = ["train", "logprob", "sample"];

    /// <summary>The case of the Python script that this one compares with, where the name differs.</summary>
    public string ComparesWith { get; init => field = value; } = Name;

    /// <summary>The arithmetic of a phase in GFLOP.</summary>
    public double GigaFlopOf(string phase) => phase == "train" ? 3 * GigaFlop : GigaFlop;
}
