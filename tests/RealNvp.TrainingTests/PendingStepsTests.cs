using RealNvp.Benchmarks;
using RealNvp.Internal;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training;

/// <summary>Training as it runs on a GPU, here on the CPU: losses are fetched
/// late, and the device itself holds back what is not finite.</summary>
public class PendingStepsTests
{
    private const int Size = 16;
    private static readonly TrainingOptions options = new() { Epochs = 1, BatchSize = Size, Seed = 3, ValidationFraction = 0,
        AverageDecay = 0.9, Schedule = new CosineSchedule { WarmUpSteps = 3 }, WeightNormDecay = 1e-3 };

    // what makes the host wait for a GPU
    private static readonly string[] waits = ["aten::_local_scalar_dense", "aten::item", "aten::is_nonzero", "aten::nonzero",
        "aten::masked_select", "aten::equal", "aten::unique"];

    public static TheoryData<string> Presets =>
        // a solver with steps of its own size asks which examples are done
        [.. PresetTable.All.Where(p => p.Value is not FfjordOptions).Select(p => p.Key)];

    public enum Fault { Loss, Gradient }

    [Fact]
    public void Losses_and_weights_are_those_of_training_that_looks_after_each_step()
    {
        using var scope = NewDisposeScope();
        using var off = KernelSwitch.AllOff();
        var x = randn([80, 5], dtype: float64, generator: new Generator(4));
        (Heard Heard, Dictionary<string, Tensor> State) Train(PendingLimits? limits)
        {
            using var model = PresetTable.Create("Tabular");
            using var trainer = new Trainer(model, options with { Epochs = 3, MaxGradientNorm = 20 }, limits);
            var heard = new Heard();
            trainer.Fit(TrainingData.From(x), progress: heard).Step.Should().Be(15);
            return (heard, model.state_dict().ToDictionary(e => e.Key, e => e.Value.clone()));
        }
        var expected = Train(null);
        expected.Heard.Norms.Should().Contain(n => n > 20).And.Contain(n => n < 20, "some steps are clipped, else the test proves less");
        foreach (var limits in new[] { Every(1), Every(4) with { UsesLists = false }, Every(100) })
        {
            var (heard, state) = Train(limits);
            heard.Steps.Should().Equal(expected.Heard.Steps);
            for (var i = 0; i < heard.Losses.Count; i++)
            {
                // what clips is a float32 number on the device
                heard.Losses[i].Should().BeApproximately(expected.Heard.Losses[i], 1e-7);
                heard.Norms[i].Should().BeApproximately(expected.Heard.Norms[i], 1e-6 * expected.Heard.Norms[i]);
            }
            heard.Rates.Should().Equal(expected.Heard.Rates);
            foreach (var (name, tensor) in state) tensor.allclose(expected.State[name], 1e-6, 1e-7).Should().BeTrue(name);
        }
    }

    [Theory]
    [InlineData(Fault.Loss, 1, true)]
    [InlineData(Fault.Loss, 6, false)]
    [InlineData(Fault.Gradient, 5, true)]
    [InlineData(Fault.Gradient, 8, false)]
    public void A_step_that_is_not_finite_changes_nothing_and_is_named_as_without_delay(Fault fault, int bad, bool lists)
    {
        var limits = Every(4) with { UsesLists = lists };
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var batches = Batches(11).Select((x, i) => i == bad - 1 ? Poisoned(x, fault) : x).ToArray();

        // with and without delay: the same words, but for the last digits
        var expected = Train(batches, null, null, out _);
        var path = folder.At("failed.safetensors");
        var error = Train(batches, limits, path, out var heard);
        error!.Message.Should().Be(expected!.Message).And.Contain($"epoch 1, step {bad}");
        error.Layer.Should().Be(expected.Layer);
        heard.Steps.Should().Equal(Enumerable.Range(1, bad - 1).Select(s => (long)s), "every good step is reported");

        // all that a checkpoint holds is that of a training of the good steps alone
        var goodPath = folder.At("good.safetensors");
        Train(batches[..(bad - 1)], limits, goodPath, out _).Should().BeNull();
        using var failed = SafeTensors.Load(path);
        using var good = SafeTensors.Load(goodPath);
        failed.Tensors.Keys.Should().BeEquivalentTo(good.Tensors.Keys);
        foreach (var (name, tensor) in good.Tensors)
            if (!name.StartsWith("random", StringComparison.Ordinal))
                failed.Tensors[name].equal(tensor).all().item<bool>().Should().BeTrue(name);
        failed.Tensors.Keys.Should().Contain(k => k.Contains("exp_avg_sq", StringComparison.Ordinal)).And.Contain(k =>
            k.Contains("running_var", StringComparison.Ordinal));
    }

    [Fact]
    public void What_ends_a_training_early_leaves_its_counts_right()
    {
        using var scope = NewDisposeScope();
        IEnumerable<Tensor> Failing()
        {
            foreach (var x in Batches(6)) yield return x;
            throw new IOException("The disk is gone.");
        }
        using var flow = Wobbly();
        using var trainer = new Trainer(flow, options, Every(4));
        var heard = new Heard();
        var fit = () => trainer.Fit(TrainingData.FromBatches(Failing(), 9), progress: heard);
        fit.Should().Throw<IOException>();
        heard.Steps.Should().Equal(1, 2, 3, 4);
        trainer.Step.Should().Be(6, "six steps have changed the weights");

        using var other = Wobbly();
        using var second = new Trainer(other, options, Every(4));
        using var stop = new CancellationTokenSource();
        var result = second.Fit(TrainingData.FromBatches(Batches(9), 9), progress: new Heard { After = 3, Then = stop.Cancel },
            cancellationToken: stop.Token);
        (result.Reason, result.Step).Should().Be((StopReason.Cancelled, 4L), "the steps that were heard of together were taken together");
    }

    [Fact]
    public void Losses_are_fetched_together()
    {
        using var scope = NewDisposeScope();
        using var model = PresetTable.Create("Tabular, context");
        Trainer.FitLayers(Unprepared(model), TrainingData.From(randn([50, 4], float64), randn([50, 3], float64)));
        using var trainer = new Trainer(Unprepared(model), options, Every(4));
        var counts = new List<long>();
        IEnumerable<(Tensor, Tensor)> Counting()
        {
            for (var i = 0; i < 10; i++)
            {
                counts.Add(HostFetch.Count);
                yield return (randn([Size, 4], float64), randn([Size, 3], float64));
            }
        }
        // heard of the last steps, before the end of the epoch
        trainer.Fit(TrainingData.FromBatches(Counting(), 10),
            progress: new Heard { After = 10, Then = () => counts.Add(HostFetch.Count) }).Step.Should().Be(10);
        (HostFetch.Count - counts[^1]).Should().BeLessThanOrEqualTo(6, "the round trip at the end of an epoch waits a few times");
        counts.Zip(counts.Skip(1)).Select(c => c.Second - c.First).Should().Equal(0, 0, 0, 1, 0, 0, 0, 1, 0, 1);
    }

    [Theory, MemberData(nameof(Presets))]
    public void Between_two_fetches_no_operation_waits_for_the_device(string name)
    {
        using var scope = NewDisposeScope();
        using var off = KernelSwitch.AllOff();
        var recipe = PresetTable.All[name];
        using var model = PresetTable.Create(name);
        var (x, context) = (PresetTable.Examples(recipe, 4), PresetTable.Context(recipe, 4));
        // the CPU's form of Adam on lists reads its count of steps, which a GPU's does in its kernel
        NativeCalls? calls = null;
        IEnumerable<(Tensor, Tensor)> Watching()
        {
            // a first step initializes, and asks once for it
            for (var i = 0; i < 5; i++)
            {
                if (i == 2) calls = NativeCalls.Start(byName: true);
                yield return (x.alias(), context?.alias()!);
            }
            calls?.Dispose();
        }
        using var trainer = new Trainer(Unprepared(model), options with { MaxGradientNorm = 1 }, Every(100) with { UsesLists = false });
        trainer.Fit(TrainingData.FromBatches(Watching(), 5)).Step.Should().Be(5);
        Assert.SkipWhen(calls is null, "this libtorch has no hook that counts its operations");
        calls.Names.Keys.Should().Contain("aten::isfinite").And.Contain("aten::addcdiv_", "the steps were watched");
        // libtorch's own gradient of a log-determinant asks whether the matrix is singular
        if (!calls.Names.ContainsKey("aten::linalg_slogdet")) calls.Names.Keys.Should().NotContain(waits);
    }

    [Fact]
    public void Examples_are_gathered_without_an_index_from_elsewhere()
    {
        using var scope = NewDisposeScope();
        var data = TrainingData.From(arange(40).unsqueeze(1).to(float32), arange(40).unsqueeze(1).to(float32));
        var (train, _) = data.Split(0.25, 1);
        var seen = new List<Tensor>();
        foreach (var (x, context) in train.Batches(8, 5, 0))
        {
            x.equal(context!).all().item<bool>().Should().BeTrue();
            seen.Add(x);
            context!.Dispose();
        }
        cat(seen).shape.Should().Equal(30, 1);
        cat(seen).unique().Item1.numel().Should().Be(30);
        train.ReleaseSplit();
    }

    // the data need no standardization, so batches may come from anywhere
    private static Flow Unprepared(FlowModel model) => new(model.InputShape, model.Bijection, model.BaseDensity);

    private static PendingLimits Every(int steps) => new(steps, TimeSpan.FromDays(1));

    private static Tensor[] Batches(int count)
    {
        using var generator = new Generator(6);
        return [.. Enumerable.Range(0, count).Select(_ => randn([Size, 4], generator: generator))];
    }

    private static Tensor Poisoned(Tensor x, Fault fault)
    {
        x.select(0, 2).fill_(fault == Fault.Loss ? float.NaN : 0);
        return x;
    }

    // the error of a training on batches, which are left alive; what is left then is saved
    private static NonFiniteException? Train(Tensor[] batches, PendingLimits? limits, string? path, out Heard heard)
    {
        using var flow = Wobbly();
        // a training that is cancelled saves itself, one that fails is saved after it
        using var trainer = new Trainer(flow, options with { CheckpointPath = path }, limits);
        heard = new Heard();
        var listener = heard;
        NonFiniteException? error = null;
        try
        {
            using var stop = new CancellationTokenSource();
            IEnumerable<Tensor> Given()
            {
                foreach (var x in batches) yield return x.alias();
                // cancelled, and so not finished, before a batch too many
                stop.Cancel();
                yield return batches.FirstOrDefault()?.alias() ?? zeros(Size, 4);
            }
            trainer.Fit(TrainingData.FromBatches(Given(), 11), progress: listener, cancellationToken: stop.Token).Reason.Should()
                .Be(StopReason.Cancelled);
        }
        catch (NonFiniteException e) { error = e; }
        foreach (var (name, tensor) in flow.state_dict()) tensor.isfinite().all().item<bool>().Should().BeTrue(name);
        if (path is not null && error is not null) trainer.SaveCheckpoint(path);
        return error;
    }

    private static Flow Wobbly()
    {
        manual_seed(5);
        return new Flow([4], new Chain(new Wobble(), new FlowBatchNorm([4]), new AffineCouplingLayer([4], Mask.FirstHalf(4),
            new Mlp(2, 4, 8)), new AffineCouplingLayer([4], !Mask.FirstHalf(4), new Mlp(2, 4, 8))));
    }

    private sealed class Heard : IProgress<TrainingProgress>
    {
        public List<long> Steps { get; } = [];

        public List<double> Losses { get; } = [];

        public List<double> Norms { get; } = [];

        public List<double> Rates { get; } = [];

        public int After { get; init; } = -1;

        public Action? Then { get; init; }

        public void Report(TrainingProgress value)
        {
            Steps.Add(value.Step);
            Losses.Add(value.Loss);
            Norms.Add(value.GradientNorm);
            Rates.Add(value.LearningRate);
            if (Steps.Count == After) Then?.Invoke();
        }
    }

    /// <summary>The identity, with a weight whose gradient is NaN for an example of zeros.</summary>
    private sealed class Wobble : Bijection
    {
        private readonly TorchSharp.Modules.Parameter weight = Weights.Parameter(ones(1));

        public Wobble() : base(nameof(Wobble)) => RegisterComponents();

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) =>
            (x, SumExamples(x.mul(weight).abs().sqrt()).mul(0));

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => ForwardCore(z, pass);
    }
}
