using System.Text.Json.Nodes;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Serialization;

public sealed class ForgedCheckpointTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("seeded 0", 12, 0)]
    [InlineData("seeded 3", 12, 3)]
    [InlineData("left 0", 8, 0)]
    [InlineData("left beyond the block", 9, 255)]
    [InlineData("left that does not fit next", 8, 7)]
    [InlineData("next beyond the block", 17, 255)]
    [InlineData("a word of more than 32 bits", 28, 1)]
    [InlineData("a flag of the double", 5040, 2)]
    [InlineData("a flag of the float", 5052, 2)]
    public void A_random_state_that_native_code_would_end_the_process_for_is_refused(string what, int at, int value)
    {
        what.Should().NotBeEmpty();
        Refused(Changed((tensors, _) =>
        {
            var state = tensors["random/default"].clone();
            state.bytes[at] = (byte)value;
            tensors["random/default"] = state;
        }), "*damaged:*random state*");
    }

    [Fact]
    public void A_random_state_of_another_length_or_dtype_is_refused()
    {
        Refused(Changed((tensors, _) => tensors["random/default"] = tensors["random/default"][..5055].clone()),
            "*random state is Byte (5055,)*");
        Refused(Changed((tensors, _) => tensors["random/default"] = tensors["random/default"].to(int64)),
            "*random state is Int64 (5056,)*");
        Refused(Changed((tensors, _) => tensors["random/default"] = full([5056], 255, uint8)), "*damaged*random state*");
    }

    [Fact]
    public void Every_state_that_a_generator_can_have_is_accepted()
    {
        using var _ = new KeptState();
        using var scope = NewDisposeScope();
        foreach (var seed in new long[] { 0, 1, -1, long.MaxValue })
        {
            manual_seed(seed);
            Good("new");
            for (var draws = 1; draws < 1300; draws++)
            {
                using var step = NewDisposeScope();
                randint(10, [1]);
                Good($"after {draws} draws");
            }
            // one that keeps half of a pair of normal draws
            randn(1);
            Good("after a normal draw");
            randn([3], float64);
            Good("after three");
            randn(1000);
            Good("after many");
        }

        static void Good(string when)
        {
            using var state = get_rng_state();
            GeneratorState.Fault(state).Should().BeNull(when);
        }
    }

    public static TheoryData<string, string, string> States => new()
    {
        { "Step", "-5", "*Step*" }, { "Step", "9223372036854775807", "*Step*" }, { "Step", "1", "*Step*" },
            { "Epoch", "-2000000000", "*Epoch must not be negative; got -2000000000*" },
        { "Epoch", "1", "*History must have a record for each of Epoch*" }, { "Batch", "17", "*Batch*" }, { "Batch", "-3", "*Batch*" },
            { "Batch", "4611686018427387904", "*Batch*" },
        { "Examples", "\"NaN\"", "*Examples*" }, { "Examples", "-1", "*Examples*" }, { "Examples", "5", "*Examples*" },
            { "LossSum", "\"NaN\"", "*LossSum*" }, { "LossSum", "3", "*LossSum*" },
        { "Seconds", "1e300", "*Seconds*" }, { "Seconds", "-1", "*Seconds*" }, { "Best", "\"NaN\"", "*Best*" },
            { "Best", "\"-Infinity\"", "*Best*" }, { "Best", "3", "*Best*" },
        { "BestEpoch", "7", "*BestEpoch*" }, { "BestEpoch", "0", "*BestEpoch*" }, { "EpochsWithoutGain", "-1", "*EpochsWithoutGain*" },
            { "EpochsWithoutGain", "9", "*EpochsWithoutGain*" },
        { "History", "null", "*History*" }, { "History", "[null,null]", "*History*" }, { "History", "[]", "*History*" },
            { "Warnings", "null", "*Warnings*" }, { "Warnings", "[null]", "*Warnings*" },
    };

    [Theory, MemberData(nameof(States))]
    public void A_state_that_no_training_could_have_is_refused_by_its_member(string member, string value, string message) =>
        Refused(Changed((_, metadata) => metadata["state"] = With(metadata["state"], member, value)), message);

    [Theory]
    [InlineData("Epoch", "2", "*History*0*.Epoch*")]
    [InlineData("Step", "0", "*History*0*.Step*")]
    [InlineData("Loss", "\"NaN\"", "*History*0*.Loss*")]
    [InlineData("ValidationLoss", "\"NaN\"", "*History*0*.ValidationLoss*")]
    [InlineData("ValidationLoss", "null", "*ValidationBitsPerDim*")]
    [InlineData("ValidationInfiniteCount", "-1", "*History*0*.ValidationInfiniteCount*")]
    [InlineData("ValidationInfiniteCount", "2", "*History*0*.ValidationInfiniteCount*agrees with ValidationLoss*")]
    [InlineData("ValidationInfiniteCount", "null", "*History*0*.ValidationFiniteLoss*")]
    [InlineData("ValidationFiniteLoss", "\"Infinity\"", "*History*0*.ValidationFiniteLoss*")]
    [InlineData("Seconds", "\"Infinity\"", "*History*0*.Seconds*")]
    [InlineData("IsPartial", "true", "*IsPartial*")]
    public void A_record_of_an_epoch_that_cannot_be_is_refused(string member, string value, string message) =>
        Refused(Changed((_, metadata) =>
    {
        var state = JsonNode.Parse(metadata["state"])!.AsObject();
        state["History"]![0]![member] = JsonNode.Parse(value);
        metadata["state"] = state.ToJsonString();
    }), message);

    [Fact]
    public void Epochs_in_another_order_are_refused() => Refused(Changed((_, metadata) =>
    {
        var state = JsonNode.Parse(metadata["state"])!.AsObject();
        state["History"] = new JsonArray(state["History"]![1]!.DeepClone(), state["History"]![0]!.DeepClone());
        metadata["state"] = state.ToJsonString();
    }), "*History*0*.Epoch must be 1*");

    [Theory]
    [InlineData("MaxGradientNorm", "\"Infinity\"")]
    [InlineData("MaxGradientNorm", "\"NaN\"")]
    [InlineData("Epochs", "0")]
    [InlineData("BatchSize", "-1")]
    [InlineData("LearningRate", "\"NaN\"")]
    [InlineData("ValidationFraction", "1")]
    [InlineData("CheckpointEvery", "0")]
    public void Options_of_a_training_that_are_out_of_range_are_refused(string member, string value) =>
        Refused(Changed((_, metadata) => metadata["training"] = With(metadata["training"], member, value)), $"*{member}*");

    [Fact]
    public void A_mean_of_squares_that_is_negative_is_refused() => Refused(Changed((tensors, _) =>
    {
        var key = tensors.Keys.First(k => k.StartsWith("optimizer/exp_avg_sq.", StringComparison.Ordinal));
        tensors[key] = tensors[key].neg().sub(1);
    }), "*mean of squares*");

    [Fact]
    public void A_wrong_option_of_the_callers_own_is_not_blamed_on_the_file()
    {
        var path = Checkpoint();
        FluentActions.Invoking(() => Trainer.Resume(path, change: o => o with { Epochs = 0 })).Should().Throw<ArgumentException>()
            .WithMessage("*Epochs*");
    }

    [Fact]
    public void Data_with_fewer_batches_than_the_epoch_has_done_are_refused()
    {
        using var scope = NewDisposeScope();
        using var model = Model();
        var path = folder.At("middle.safetensors");
        using (var trainer = new Trainer(model, Options(epochs: 1) with { MaxSteps = 9 }))
        {
            var steps = 0;
            using var stop = new CancellationTokenSource();
            trainer.Fit(TrainingData.From(Data(96)), progress: new Now(_ =>
                { if (++steps == 4) { trainer.SaveCheckpoint(path); stop.Cancel(); } }), cancellationToken: stop.Token);
        }
        using var resumed = Trainer.Resume(path);
        using var flow = resumed.Flow;
        FluentActions.Invoking(() => resumed.Fit(TrainingData.From(Data(20)))).Should().Throw<ArgumentException>()
            .WithMessage("*4 batches*these data have 2*");
        resumed.Fit(TrainingData.From(Data(96))).Step.Should().Be(6);
    }

    [Fact]
    public void A_checkpoint_path_that_is_a_folder_is_refused_before_any_work()
    {
        using var scope = NewDisposeScope();
        using var model = Model();
        using var trainer = new Trainer(model, Options(epochs: 1) with { CheckpointPath = folder.At("") });
        FluentActions.Invoking(() => trainer.Fit(TrainingData.From(Data(96)))).Should().Throw<ArgumentException>()
            .WithMessage("*CheckpointPath is a folder*");
        trainer.Step.Should().Be(0);
    }

    private sealed class Now(Action<TrainingProgress> hear) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => hear(value);
    }

    private sealed class KeptState : IDisposable
    {
        private readonly Tensor state = get_rng_state();

        public void Dispose()
        {
            set_rng_state(state);
            state.Dispose();
        }
    }

    private static string With(string json, string member, string value)
    {
        var node = JsonNode.Parse(json)!.AsObject();
        node[member] = JsonNode.Parse(value);
        return node.ToJsonString();
    }

    private static RealNvpModel Model() => new(RealNvpOptions.Toy2D with { Layers = 2, Hidden = 8 }, seed: 1);

    private static TrainingOptions Options(int epochs) => new() { Epochs = epochs, BatchSize = 16, ValidationFraction = 0 };

    private static Tensor Data(int rows)
    {
        using var generator = new Generator(5);
        return randn([rows, 2], generator: generator);
    }

    private string Checkpoint()
    {
        using var scope = NewDisposeScope();
        using var model = Model();
        var path = folder.At("good.safetensors");
        using var trainer = new Trainer(model, Options(epochs: 2) with { ValidationFraction = 0.25, CheckpointPath = path });
        trainer.Fit(TrainingData.From(Data(96)));
        return path;
    }

    private string Changed(Action<Dictionary<string, Tensor>, Dictionary<string, string>> change)
    {
        using var scope = NewDisposeScope();
        using var file = SafeTensors.Load(Checkpoint());
        var (tensors, metadata) = (new Dictionary<string, Tensor>(file.Tensors), new Dictionary<string, string>(file.Metadata));
        change(tensors, metadata);
        var path = folder.At("forged.safetensors");
        SafeTensors.Save(path, tensors, metadata);
        return path;
    }

    private static void Refused(string path, string message)
    {
        var resume = () => Trainer.Resume(path);
        resume.Should().Throw<InvalidDataException>().WithMessage(message);
    }
}
