using System.Globalization;
using RealNvp.Describing;

namespace RealNvp;

/// <summary>About how many bytes a flow takes with batches of one size: <see cref="FlowSummary.MemoryAt"/>.</summary>
[TypeFormatterSource(typeof(HtmlFormatterSource))]
public sealed class FlowMemory
{
    internal FlowMemory() { }

    /// <summary>The number of examples of a batch.</summary>
    public required int BatchSize { get; init; }

    /// <summary>Parameters and buffers.</summary>
    public required long Weights { get; init; }

    /// <summary>What training keeps besides for each parameter that is trained:
    /// its gradient, Adam's two moments and the averaged weight.</summary>
    public required long TrainingState { get; init; }

    /// <summary>What the graph of a batch keeps for the backward pass, within some 15 % for networks of this library on a CPU; networks
    /// of plain modules keep up to twice as much. Reversible training (<see cref="Flow.ReversibleTraining"/>) keeps less.</summary>
    public required long Graph { get; init; }

    /// <summary>What the largest layer needs for a batch while it scores or samples.</summary>
    public required long Scoring { get; init; }

    /// <summary>All of a training: weights, what is kept for each, and the graph.</summary>
    public long Training => Weights + TrainingState + Graph;

    /// <summary>A sentence.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture,
            $"The weights take about {SummaryText.Bytes(Weights)}. Training with batches of {BatchSize:N0} takes " +
                $"{SummaryText.Bytes(Training)} " +
            $"in all, {SummaryText.Bytes(Graph)} of it for the graph; scoring such batches takes {SummaryText.Bytes(Scoring)} besides " +
                $"the weights.");
}
