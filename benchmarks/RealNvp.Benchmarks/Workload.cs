using RealNvp.Scoring;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Benchmarks;

/// <summary>A case that is ready to run: its flow, its data, its optimizer.</summary>
public sealed class Workload : IWorkload
{
    private readonly BenchmarkCase made;
    private readonly Flow flow;
    private readonly Tensor x;
    private readonly AdamOptimizer adam;
    private readonly WeightReading? reading;
    private readonly float[] row = [], numbers = [];
    private readonly FlowScorer? scorer;
    private Tensor? z;
    // as the trainer does
    private StepGarbage garbage;

    /// <summary>Makes the flow and its data on a device.</summary>
    /// <param name="made">The case.</param>
    /// <param name="device">Where it runs.</param>
    /// <param name="reversible">Whether training rebuilds activations.</param>
    public Workload(BenchmarkCase made, Device device, bool reversible = false)
    {
        this.made = made;
        random.manual_seed(0);
        flow = made.Make();
        flow.to(device);
        flow.ReversibleTraining = reversible;
        using (var data = made.Data()) x = data.to(device, copy: true).DetachFromDisposeScope();
        adam = new AdamOptimizer(flow);
        reading = made.Phases.Contains("read") ? new WeightReading(flow.parameters()) : null;
        if (!made.Phases.Contains("scorer")) return;
        using var file = new MemoryStream();
        ((FlowModel)flow).Save(file);
        file.Position = 0;
        scorer = FlowScorer.Load(file);
        row = x.data<float>().ToArray();
        numbers = new float[row.Length];
    }

    /// <summary>The number of weights.</summary>
    public long Parameters => flow.parameters().Sum(p => p.numel());

    /// <summary>
    /// The most bytes in use during a phase beyond those before it; null where the system does not say. In training, weights, their
    /// gradients and the optimizer's state are there before, so the rest is what a step keeps for its backward pass and works with.
    /// </summary>
    public long? PeakOf(string phase)
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        using var calls = NativeCalls.Start(memory: true);
        if (calls?.PeakGrowth is null) return null;
        Run(phase);
        return calls.PeakGrowth;
    }

    /// <summary>The work of one phase, once.</summary>
    public void Run(string phase)
    {
        using var scope = NewDisposeScope();
        if (phase == "train")
        {
            Mode(training: true);
            adam.ZeroGradients();
            flow.NegativeLogLikelihood(x).backward();
            adam.Step(1e-4);
            garbage.StepDone();
            return;
        }
        switch (phase)
        {
            case "read": reading!.Read(); return;
            case "scorer": scorer!.LogProb(row, numbers.AsSpan(0, made.Batch)); return;
            case "scorer-sample": scorer!.Sample(numbers, seed: 1); return;
        }
        Mode(training: false);
        using var gradients = no_grad();
        switch (phase)
        {
            case "logprob" or "collecting": flow.LogProb(x); break;
            case "encode": flow.Encode(x); break;
            case "decode": flow.Decode(z ??= flow.Encode(x).DetachFromDisposeScope()); break;
            case "sample": flow.Sample(made.Batch); break;
            case "span": flow.LogProbInto(row, numbers.AsSpan(0, made.Batch)); break;
            default: throw new ArgumentException($"There is no phase '{phase}'.", nameof(phase));
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        adam.Dispose();
        z?.Dispose();
        x.Dispose();
        flow.Dispose();
    }

    private void Mode(bool training)
    {
        if (flow.training != training) flow.train(training);
    }
}
