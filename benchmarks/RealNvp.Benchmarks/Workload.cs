using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Benchmarks;

/// <summary>A case that is ready to run: its flow, its data, its optimizer.</summary>
public sealed class Workload : IDisposable
{
    // as often as the trainer does: small native objects are freed by finalizers only
    private const int CollectEvery = 10;

    private readonly BenchmarkCase made;
    private readonly Flow flow;
    private readonly Tensor x;
    private readonly AdamOptimizer adam;
    private long steps;

    /// <summary>Makes the flow and its data on a device.</summary>
    public Workload(BenchmarkCase made, Device device)
    {
        this.made = made;
        random.manual_seed(0);
        flow = made.Make();
        flow.to(device);
        using (var data = made.Data()) x = data.to(device, copy: true).DetachFromDisposeScope();
        adam = new AdamOptimizer(flow);
    }

    /// <summary>The number of weights.</summary>
    public long Parameters => flow.parameters().Sum(p => p.numel());

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
            if (++steps % CollectEvery != 0) return;
            GC.Collect(0);
            GC.WaitForPendingFinalizers();
            return;
        }
        Mode(training: false);
        using var gradients = no_grad();
        if (phase == "logprob") flow.LogProb(x);
        else flow.Sample(made.Batch);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        adam.Dispose();
        x.Dispose();
        flow.Dispose();
    }

    private void Mode(bool training)
    {
        if (flow.training != training) flow.train(training);
    }
}
