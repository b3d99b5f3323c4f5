using System.Diagnostics;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training;

/// <summary>What a collection may free while libtorch still reads it: Scalars that nothing holds, tensors outside of scopes.</summary>
public class CollectionTests
{
    // with implicit Scalars it ended after 3 seconds with "Expected false to be true", in the norm of a gradient
    [SlowFact]
    public void Training_by_plain_tensors_survives_a_thread_that_collects_all_the_time()
    {
        using var off = KernelSwitch.AllOff();
        using var stop = new CancellationTokenSource();
        var collector = new Thread(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                GC.Collect(0);
                Thread.Sleep(1);
            }
        });
        collector.Start();
        try
        {
            var watch = Stopwatch.StartNew();
            var steps = 0L;
            while (watch.Elapsed < TimeSpan.FromSeconds(30))
                foreach (var name in new[] { "Tabular, context", "MAF, Tabular", "Spline, Tabular", "MAF, mixture, plain blocks",
                        "Glow, Digits8x8" })
                    steps += Train(name);
            steps.Should().BeGreaterThan(200, "that many steps were needed to find one");
        }
        finally
        {
            stop.Cancel();
            collector.Join();
        }
    }

    private static long Train(string name)
    {
        using var scope = NewDisposeScope();
        var recipe = PresetTable.All[name];
        using var model = PresetTable.Create(name);
        var (x, context) = (PresetTable.Examples(recipe, 16), PresetTable.Context(recipe, 16));
        using var flow = new Flow(model.InputShape, model.Bijection, model.BaseDensity);
        using var trainer = new Trainer(flow, new TrainingOptions { Epochs = 1, Seed = 1, ValidationFraction = 0, AverageDecay = 0.9,
            MaxGradientNorm = 1 }, new PendingLimits(4, TimeSpan.FromDays(1), UsesLists: false));
        return trainer.Fit(TrainingData.FromBatches(Enumerable.Range(0, 12).Select(_ => (x.alias(), context?.alias()!)), 12)).Step;
    }
}
