using TorchSharp;
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

    /// <summary>The threads of all libraries if they are always so many; null for those that the command line names.</summary>
    public int? Threads { get; init; }

    /// <summary>How many calls are timed for each one that the command line asks for: more where a call takes microseconds.</summary>
    public int Repeats { get; init; } = 1;

    /// <summary>Training steps that rebuild activations are timed in turn with ordinary ones, and the memory of both is measured.</summary>
    public bool Reversible { get; init; }

    /// <summary>Whether a product of matrices is timed in turn with it. Few rows are bound by the reading of their weights.</summary>
    public bool IsOfProducts => GigaFlop > 0 && Name != ProductWorkload.Name && !Phases.Contains("read");

    /// <summary>The arithmetic of a phase in GFLOP; 0 if a phase has none that counts.</summary>
    public double GigaFlopOf(string phase) => phase switch { "train" => 3 * GigaFlop, "read" or "cold" => 0, _ => GigaFlop };

    /// <summary>Gets ready to run.</summary>
    internal IWorkload Load(Device device, bool reversible = false) =>
        Name == ProductWorkload.Name ? new ProductWorkload() : new Workload(this, device, reversible);
}
