using RealNvp.Tests.Anomalies;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Tables;

namespace RealNvp.Tests.Training;

/// <summary>Each fit in one line that was cut off goes on by the same call.</summary>
[LeavesNoTensors]
public sealed class FitCheckpointTests : IDisposable
{
    private static readonly TrainingOptions training = new() { Epochs = 3, BatchSize = 16, Patience = 2, Seed = 3 };
    private static readonly Table line = MixedTables.Line(60);
    private static readonly double[,] rows = AnomalyCases.Rows(90, 1);

    // fits with a checkpoint, and gives numbers that tell weights apart
    private static readonly Dictionary<string, Func<string?, TrainingOptions, IProgress<TrainingProgress>?, CancellationToken, double[]>>
        fits = new()
        {
            ["model"] = (path, how, progress, token) =>
            {
                using var model = FlowModel.Fit(AnomalyCases.Rows3(60, 1), options: new() { Training = how, CheckpointPath = path,
                    Model = RealNvpOptions.Tabular(3) with { Hidden = 4, Layers = 2, Blocks = 1 } }, progress: progress,
                    cancellationToken: token);
                return model.LogProb(AnomalyCases.Rows3(5, 2));
            },
            ["table"] = (path, how, progress, token) =>
            {
                using var flow = TableFlow.Fit(line, null, new() { Training = how, CheckpointPath = path, Hidden = 8 }, progress, token);
                return flow.LogProb(line);
            },
            ["detector"] = (path, how, progress, token) =>
            {
                using var detector = AnomalyDetector.Fit(rows, AnomalyCases.Tiny with { Training = how, CheckpointPath = path }, progress,
                    token);
                return [.. detector.Score(rows).Scores];
            },
        };

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    public static TheoryData<string, int> Cases => [.. fits.Keys.SelectMany(f => new[] { 1, 4, 7, 13 }.Select(s => (f, s)))];

    [Theory, MemberData(nameof(Cases))]
    public void What_was_cut_off_goes_on_by_the_same_call_to_the_same_bit(string name, int step)
    {
        var path = folder.At("fit.safetensors");
        var expected = fits[name](null, training, null, default);
        using var stop = new CancellationTokenSource();
        var left = step;
        fits[name](path, training, new Now(() => { if (--left == 0) stop.Cancel(); }), stop.Token);
        if (left <= 0) folder.Names.Should().NotBeEmpty("a checkpoint stays if the training was cut off");
        else folder.Names.Should().BeEmpty("the training has come to its end");
        fits[name](path, training, null, default).Should().Equal(expected);
        folder.Names.Should().BeEmpty("there is nothing left to go on from");
    }

    [Fact]
    public void A_training_that_stopped_early_does_not_go_on_from_its_checkpoint()
    {
        using var scope = TorchSharp.torch.NewDisposeScope();
        var path = folder.At("checkpoint.safetensors");
        var x = TorchSharp.torch.tensor(AnomalyCases.Rows3(60, 1));
        var options = training with { Epochs = 50, Patience = 1, LearningRate = 0.5, CheckpointPath = path };
        using var model = new RealNvpModel(RealNvpOptions.Tabular(3) with { Hidden = 4, Layers = 2, Blocks = 1 }, 1);
        using var trainer = new Trainer(model, options);
        var result = trainer.Fit(TrainingData.From(x));
        result.Reason.Should().Be(StopReason.EarlyStopped);
        using var resumed = Trainer.Resume(path);
        using var again = resumed.Flow;
        var end = resumed.Fit(TrainingData.From(x));
        (end.Reason, end.Step, end.History.Count).Should().Be((result.Reason, result.Step, result.History.Count));
    }

    [Fact]
    public void A_checkpoint_in_two_places_or_in_none_is_refused_before_any_work()
    {
        foreach (var (name, fit) in fits)
        {
            foreach (var (path, word) in new[] { (folder.At("none/fit"), "*does not exist*"), (folder.At("."), "*is a folder*"),
                ("", "*is empty*") })
                FluentActions.Invoking(() => fit(path, training, null, default)).Should().Throw<ArgumentException>(name).WithMessage(word);
            FluentActions.Invoking(() => fit(folder.At("a"), training with { CheckpointPath = folder.At("b") }, null, default)).Should()
                .Throw<ArgumentException>(name).WithMessage("*CheckpointPath alone*");
        }
        // the members of a detector would write one over the other
        FluentActions.Invoking(() => fits["detector"](null, training with { CheckpointPath = folder.At("b") }, null, default)).Should()
            .Throw<ArgumentException>().WithMessage("*CheckpointPath alone*");
        folder.Names.Should().BeEmpty();
    }

    private sealed class Now(Action heard) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => heard();
    }
}
