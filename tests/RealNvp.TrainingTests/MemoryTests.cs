using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training;

public class MemoryTests
{
    // without the trainer's collections, TorchSharp's scalars and small native objects pile up by megabytes a step in larger models
    [Fact]
    public void Training_keeps_resident_memory_flat()
    {
        const int steps = 1500, settled = 100;
        const long allowed = 50_000_000;
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var x = randn([6400, 2], generator: generator);
        using var model = new RealNvpModel(RealNvpOptions.Toy2D with { Layers = 4, Hidden = 16 }, seed: 0);
        using var trainer = new Trainer(model, new TrainingOptions { Epochs = 100, MaxSteps = steps, BatchSize = 64, AverageDecay = 0.99,
            ValidationFraction = 0.1 });
        long start = 0, most = 0, live = 0;
        trainer.Fit(TrainingData.From(x), progress: new Watch(step =>
        {
            if (step == settled) (start, live) = (ResidentMemory.Now, DisposeScopeManager.Statistics.ThreadTotalLiveCount);
            if (step > settled && step % 20 == 0) most = Math.Max(most, ResidentMemory.Now);
            if (step > settled)
                (DisposeScopeManager.Statistics.ThreadTotalLiveCount - live).Should().Be(0, "no step and no validation leaves a tensor");
        }));
        trainer.Step.Should().Be(steps);
        TestContext.Current.TestOutputHelper?.WriteLine($"{(most - start) / 1e6:F1} MB in {steps - settled} steps");
        (most - start).Should().BeLessThan(allowed);
    }

    [Theory, InlineData(false), InlineData(true)]
    public void A_training_leaves_no_tensor_but_those_of_the_model(bool withAll)
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var path = folder.At("training.safetensors");
        var x = randn(200, 2);
        var model = RealNvpOptions.Toy2D with { Layers = 2, Hidden = 8, FlowBatchNorm = true, Standardize = true };
        var options = new TrainingOptions { Epochs = 2, BatchSize = 50, ValidationFraction = withAll ? 0.2 : 0, AverageDecay = withAll ? 0.9
            : null, CheckpointPath = withAll ? path : null };
        LiveTensors.ChangeOver(() =>
        {
            using var flow = new RealNvpModel(model, seed: 0);
            using var trainer = new Trainer(flow, options);
            trainer.Fit(TrainingData.From(x));
        }).Should().Be(0);
        if (!withAll) return;
        LiveTensors.ChangeOver(() =>
        {
            using var trainer = Trainer.Resume(path, change: o => o with { Epochs = 3, CheckpointPath = null });
            trainer.Fit(TrainingData.From(x));
            trainer.Flow.Dispose();
        }).Should().Be(0, "a resumed training leaves none either");
    }

    private sealed class Watch(Action<long> then) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => then(value.Step);
    }
}
