using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training;

/// <summary>What a training does by itself: it holds out, stops early, stops at a time limit, and says so.</summary>
[LeavesNoTensors]
public sealed class DefaultTrainingTests
{
    private static readonly TrainingOptions two = new() { Epochs = 2, BatchSize = 32 };

    [Theory]
    [InlineData(200, null, ValidationSource.HeldOut, 20)]
    [InlineData(50, null, ValidationSource.HeldOut, 5)]
    [InlineData(49, null, ValidationSource.TooFewExamples, 0)]
    [InlineData(200, 0.5, ValidationSource.HeldOut, 100)]
    [InlineData(200, 0.0, ValidationSource.None, 0)]
    [InlineData(4, 0.1, ValidationSource.TooFewExamples, 0)]
    public void A_part_is_held_out_and_progress_and_result_say_so(long rows, double? fraction, ValidationSource source, long held)
    {
        using var scope = NewDisposeScope();
        using var flow = PlainFlow();
        using var trainer = new Trainer(flow, two with { ValidationFraction = fraction });
        var heard = new Heard();
        var result = trainer.Fit(TrainingData.From(Rows(rows)), progress: heard);
        (result.Validation, result.HeldOut).Should().Be((source, held));
        heard.All.Should().OnlyContain(p => p.Validation == source && p.HeldOut == held);
        heard.All[0].Batches.Should().Be((rows - held + 31) / 32);
        result.History.Should().OnlyContain(h => h.ValidationLoss != null == held > 0);
        result.BestEpoch.HasValue.Should().Be(held > 0);
        result.WeightsEpoch.Should().Be(result.BestEpoch ?? 2);
        (result.Warnings.Count, heard.All[0].Warnings.Count).Should().Be(source == ValidationSource.TooFewExamples ? (1, 1)
            : (0, 0), "what was asked for needs no warning");
        (trainer.Options.ValidationFraction, trainer.Options.Patience).Should().Be((fraction ?? (held > 0 ? 0.1 : 0), 15),
            "a checkpoint holds what was chosen");
        result.ToString().Should().StartWith("Finished after 2 epochs").And.Contain(held > 0 ? $"{held} held-out examples"
            : "without validation");
    }

    [Fact]
    public void A_flow_that_was_disposed_before_the_training_is_said_to_be()
    {
        using var scope = NewDisposeScope();
        var flow = new Flow([2], new DiagonalScaling([2]));
        using var trainer = new Trainer(flow);
        flow.Dispose();
        FluentActions.Invoking(() => trainer.Fit(TrainingData.From(randn(60, 2)))).Should().Throw<ObjectDisposedException>();
    }

    [Fact]
    public void A_data_loader_is_trained_on_whole_with_a_warning_and_refused_if_a_part_of_it_is_asked_for()
    {
        using var scope = NewDisposeScope();
        using var flow = PlainFlow();
        var x = Rows(96);
        IEnumerable<Tensor> Loader() => [x.narrow(0, 0, 48).alias(), x.narrow(0, 48, 48).alias()];
        IEnumerable<Tensor> Again()
        {
            foreach (var batch in Loader()) yield return batch;
        }
        using (var trainer = new Trainer(flow, two))
        {
            var heard = new Heard();
            var result = trainer.Fit(TrainingData.FromBatches(Again(), 2), progress: heard);
            (result.Validation, result.HeldOut, result.Step).Should().Be((ValidationSource.DataLoader, 0, 4));
            result.Warnings.Should().ContainSingle().Which.Should().Contain("not validated").And.Contain("data loader");
            heard.All.Should().OnlyContain(p => p.Warnings.Count == 1 && p.Patience == null);
            result.ToString().Should().Contain("not validated");
        }
        using (var trainer = new Trainer(flow, two))
            trainer.Fit(TrainingData.FromBatches(Again(), 2), TrainingData.From(x)).Should()
                .Match<TrainingResult>(r => r.Validation == ValidationSource.Given && r.Warnings.Count == 0);
        using (var trainer = new Trainer(flow, two with { ValidationFraction = 0.1 }))
        {
            var fit = () => trainer.Fit(TrainingData.FromBatches(Again(), 2));
            fit.Should().Throw<ArgumentException>().WithMessage("A validation fraction needs data in a tensor or an array*");
        }
    }

    [Fact]
    public void By_itself_a_training_stops_before_the_data_are_learned_by_heart()
    {
        using var scope = NewDisposeScope();
        using var flow = PlainFlow(64);
        using var trainer = new Trainer(flow, new TrainingOptions { Epochs = 2000, LearningRate = 1e-2 });
        var heard = new Heard();
        var result = trainer.Fit(TrainingData.From(Rows(60)), progress: heard);
        result.Reason.Should().Be(StopReason.EarlyStopped);
        result.History.Should().HaveCount(result.BestEpoch!.Value + 15);
        result.WeightsEpoch.Should().Be(result.BestEpoch);
        heard.All[^1].Should().Match<TrainingProgress>(p => p.EpochsWithoutGain == 14 && p.Patience == 15);
        result.ToString().Should().StartWith($"Stopped early after {result.History.Count} epochs").And.Contain(
            $"the weights are those of epoch {result.BestEpoch}");
    }

    [Fact]
    public void A_checkpoint_of_before_keeps_what_its_options_meant()
    {
        var now = new TrainingOptions();
        var text = FileJson.Write(now);
        TrainerState.Read<TrainingOptions>(text, FrozenMembers.Current).Should().Be(now, "automatic stays automatic");
        var before = System.Text.Json.Nodes.JsonNode.Parse(text)!.AsObject();
        (before["Patience"], before["ValidationFraction"]) = (null, 0);
        before.Remove("MaxDuration");
        var read = TrainerState.Read<TrainingOptions>(before.ToJsonString(), version: 1);
        (read.ValidationFraction, read.Patience, read.MaxDuration).Should().Be((0, int.MaxValue, null), "null was no patience at all");
        before["Patience"] = "never";
        var bad = () => TrainerState.Read<TrainingOptions>(before.ToJsonString(), version: 1);
        bad.Should().Throw<InvalidDataException>();
    }

    [Theory, InlineData(5, 5, false), InlineData(11, 11, true), InlineData(0.5, 1, false)]
    public void A_time_limit_stops_at_a_step_and_keeps_the_best_weights(double limit, long steps, bool afterAnEpoch)
    {
        using var scope = NewDisposeScope();
        var (x, held) = (Rows(96 * 2), Rows(500, 9));
        using var flow = PlainFlow();
        var clock = new Clock();
        using var trainer = new Trainer(flow,
            two with { Epochs = 50, BatchSize = 24, MaxDuration = TimeSpan.FromSeconds(limit) }) { Clock = clock };
        var heard = new Heard { Then = () => clock.Now += TimeSpan.FromSeconds(1) };
        var result = trainer.Fit(TrainingData.From(x), TrainingData.From(held), heard);
        (result.Reason, result.Step).Should().Be((StopReason.TimeLimit, steps), "each step took a second, and there are 8 in an epoch");
        heard.All.Should().OnlyContain(p => p.TimeLeft <= TimeSpan.FromSeconds(limit));
        result.History.Should().HaveCount(afterAnEpoch ? 2 : 1);
        result.History[^1].Should().Match<EpochRecord>(h => h.IsPartial && h.Step == steps
            && h.ValidationLoss != null, "what was learned is validated");
        result.History[0].IsPartial.Should().Be(!afterAnEpoch);
        (-flow.Evaluate(held).MeanLogProb).Should().BeApproximately(result.History.Min(h => h.ValidationLoss!.Value), 1e-6,
            "the best weights stay");
        result.WeightsEpoch.Should().Be(result.BestEpoch == result.History[^1].Epoch ? null : 1);
        result.ToString().Should().StartWith("Stopped at the time limit");
    }

    [Theory, InlineData(false), InlineData(true)]
    public void A_training_of_automatic_choices_resumes_to_the_bit(bool timeLimit)
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var path = folder.At("training.safetensors");
        var x = Rows(150);
        var model = RealNvpOptions.Toy2D with { Layers = 2, Hidden = 8 };
        using var whole = new RealNvpModel(model, seed: 5);
        using var trainer = new Trainer(whole, two with { Epochs = 3 });
        var expected = trainer.Fit(TrainingData.From(x));

        using var flow = new RealNvpModel(model, seed: 5);
        var clock = new Clock();
        using var first = new Trainer(flow, two with { Epochs = 3, CheckpointPath = path, MaxDuration = timeLimit ? TimeSpan.FromSeconds(7)
            : null }) { Clock = clock };
        using var stop = new CancellationTokenSource();
        var steps = 0;
        var heard = new Heard
        {
            Then = () =>
            {
                clock.Now += TimeSpan.FromSeconds(1);
                if (++steps == 7 && !timeLimit) stop.Cancel();
            },
        };
        first.Fit(TrainingData.From(x), progress: heard, cancellationToken: stop.Token).Reason.Should().Be(timeLimit ? StopReason.TimeLimit
            : StopReason.Cancelled);
        using var second = Trainer.Resume(path, change: o => o with { MaxDuration = null });
        second.Step.Should().Be(7);
        var resumed = second.Fit(TrainingData.From(x));
        resumed.History.Select(h => (h.Epoch, h.Loss, h.ValidationLoss)).Should()
            .Equal(expected.History.Select(h => (h.Epoch, h.Loss, h.ValidationLoss)));
        (resumed.HeldOut, resumed.BestEpoch, resumed.Reason).Should().Be((15, expected.BestEpoch, StopReason.Finished));
        foreach (var (name, tensor) in whole.state_dict())
            second.Flow.state_dict()[name].equal(tensor).all().item<bool>().Should().BeTrue("{0} is the same", name);
        second.Flow.Dispose();
    }

    /// <summary>A flow that is no model, with a network that can learn a few rows by heart.</summary>
    private static Flow PlainFlow(long hidden = 8)
    {
        manual_seed(3);
        var mask = Mask.FirstHalf(2);
        return new Flow([2], new Chain(Coupling(mask), Coupling(!mask), Coupling(mask), Coupling(!mask)));
        AffineCouplingLayer Coupling(Mask of) => new([2], of, new ResidualMlp(1, 2, hidden, 1));
    }

    private static Tensor Rows(long count, int seed = 1)
    {
        using var generator = new Generator((ulong)seed);
        return randn([count, 2], generator: generator).mul(tensor(new[] { 1f, 2f }));
    }

    private sealed class Heard : IProgress<TrainingProgress>
    {
        public List<TrainingProgress> All { get; } = [];

        public Action? Then { get; init; }

        public void Report(TrainingProgress value)
        {
            All.Add(value);
            Then?.Invoke();
        }
    }

    private sealed class Clock : TimeProvider
    {
        public TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }
}
