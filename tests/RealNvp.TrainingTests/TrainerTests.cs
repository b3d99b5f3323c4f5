using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training;

public class TrainerTests
{
    private static readonly TrainingOptions few = new() { Epochs = 4, BatchSize = 32, LearningRate = 2e-3, Seed = 3,
        ValidationFraction = 0.2, AverageDecay = 0.95, Schedule = new CosineSchedule { WarmUpSteps = 5 } };

    public static TheoryData<string> Presets => PresetTable.Names;

    [Theory, MemberData(nameof(Presets))]
    public void Every_preset_trains_and_its_loss_falls(string name)
    {
        using var scope = NewDisposeScope();
        var options = PresetTable.All[name];
        manual_seed(1);
        using var model = options.NewModel();
        var x = options.Levels > 0 ? Integers(options) : options.IsImage ? randn(options.Shape.WithBatch(96)) : Moons(96, options.Shape[0]);
        if (options.Base == BaseDensityKind.UniformSphere) x = x.div(x.norm(1, keepdim: true));
        var context = options.ContextSize > 0 ? randn(96, options.ContextSize) : null;
        using var trainer = new Trainer(model, TrainingOptions.For(options) with { Epochs = 6, ValidationFraction = 0, BatchSize = 32,
            Schedule = new ConstantSchedule() });
        var result = trainer.Fit(TrainingData.From(x, context));
        result.Reason.Should().Be(StopReason.Finished);
        result.Step.Should().Be(18);
        result.History[^1].Loss.Should().BeLessThan(result.History[0].Loss);
        model.training.Should().BeFalse();
        foreach (var (dtype, tolerance) in new[] { (float32, 1e-4), (float64, 1e-10) })
        {
            model.to(dtype);
            using var gradients = no_grad();
            var given = context?.to(dtype);
            // without the rounding to integers, which could hide an error
            var layers = ((Chain)model.Bijection).Layers.Where(l => l is not UniformDequantization and not RandomHorizontalFlip).ToArray();
            var first = options.Levels > 0 ? x.to(dtype).add(0.25).div(options.Levels) : x.to(dtype);
            var value = first;
            foreach (var layer in layers) value = layer.Forward(value, layer.ContextSize > 0 ? given : null).Value;
            foreach (var layer in layers.Reverse()) value = layer.Inverse(value, layer.ContextSize > 0 ? given : null).Value;
            value.sub(first).abs().max().to(float64).item<double>().Should().BeLessThanOrEqualTo(tolerance,
                "a trained model is as invertible in {0}", dtype);
        }
    }

    [Fact]
    public void Resumed_training_gives_the_losses_of_training_that_never_stopped()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var x = Integers(PresetTable.RealNvp("Grey28x28"));
        var data = TrainingData.From(x);
        var path = folder.At("training.safetensors");

        using var whole = new RealNvpModel(PresetTable.RealNvp("Grey28x28"), seed: 5);
        using var trainer = new Trainer(whole, few);
        var expected = new Losses();
        var full = trainer.Fit(data, progress: expected);

        using var model = new RealNvpModel(PresetTable.RealNvp("Grey28x28"), seed: 5);
        using var first = new Trainer(model, few with { CheckpointPath = path });
        using var stop = new CancellationTokenSource();
        var losses = new Losses { After = 5, Then = stop.Cancel };
        first.Fit(data, progress: losses, cancellationToken: stop.Token).Reason.Should().Be(StopReason.Cancelled);
        rand(5);   // other users of torch's generator do not matter
        using var second = Trainer.Resume(path);
        second.Step.Should().Be(5);
        var resumed = second.Fit(data, progress: losses);

        losses.Values.Should().Equal(expected.Values, "bit for bit");
        resumed.History.Select(h => h.ValidationLoss).Should().Equal(full.History.Select(h => h.ValidationLoss));
        foreach (var (name, tensor) in whole.state_dict())
            second.Flow.state_dict()[name].equal(tensor).all().item<bool>().Should().BeTrue("{0} is the same", name);
        second.Flow.Dispose();
    }

    [Fact]
    public void A_cancelled_training_leaves_a_usable_model()
    {
        using var scope = NewDisposeScope();
        using var model = new RealNvpModel(RealNvpOptions.Toy2D, seed: 0);
        using var trainer = new Trainer(model, few);
        using var stop = new CancellationTokenSource();
        var result = trainer.Fit(TrainingData.From(Moons(200, 2)), progress: new Losses { After = 7, Then = stop.Cancel },
            cancellationToken: stop.Token);
        result.Reason.Should().Be(StopReason.Cancelled);
        result.Step.Should().Be(7);
        model.LogProb(Moons(10, 2)).isfinite().all().item<bool>().Should().BeTrue();
        var again = () => trainer.Fit(TrainingData.From(Moons(10, 2)));
        again.Should().Throw<InvalidOperationException>();
    }

    [Fact]
    public void A_loss_that_is_not_finite_names_the_layer_and_leaves_the_weights_as_they_were()
    {
        using var scope = NewDisposeScope();
        var options = PresetTable.RealNvp("Grey28x28");
        using var model = new RealNvpModel(options, seed: 0);
        var poisoned = ((Chain)((MultiScaleLayer)((Chain)model.Bijection).Layers[^1]).Scales[0]).Layers[2];
        poisoned.Should().BeOfType<AffineCouplingLayer>();
        using (no_grad())
            poisoned.named_parameters().Single(p => p.name == "conditioner.out_conv.bias").parameter.fill_(float.PositiveInfinity);
        var before = model.state_dict().ToDictionary(e => e.Key, e => e.Value.clone());
        using var trainer = new Trainer(model, few);
        var fit = () => trainer.Fit(TrainingData.From(Integers(options)));
        fit.Should().Throw<NonFiniteException>().Which.Layer.Should().Contain("scales.0.layers.2");
        foreach (var (name, tensor) in model.state_dict())
            tensor.equal(before[name]).all().item<bool>().Should().BeTrue("{0} is as it was", name);
    }

    [Fact]
    public void A_layer_of_ones_own_that_divides_by_zero_is_named()
    {
        using var scope = NewDisposeScope();
        using var flow = new Flow([2], new Chain(new DiagonalScaling([2]), new Reciprocal(), new DiagonalScaling([2])));
        using var trainer = new Trainer(flow, few with { ValidationFraction = 0 });
        var fit = () => trainer.Fit(TrainingData.From(zeros(8, 2)));
        var error = fit.Should().Throw<NonFiniteException>().Which;
        error.Layer.Should().Be("bijection.layers.1 (Reciprocal)");
        error.Message.Should().Contain("bijection.layers.1 (Reciprocal)");
    }

    [Fact]
    public void Data_that_do_not_fit_are_refused_before_any_work()
    {
        using var scope = NewDisposeScope();
        using var model = new RealNvpModel(RealNvpOptions.Digits8x8, seed: 0);
        using var trainer = new Trainer(model, few);
        void Refused(TrainingData data, string message)
        {
            var fit = () => trainer.Fit(data);
            fit.Should().Throw<ArgumentException>().WithMessage(message);
        }
        Refused(TrainingData.From(zeros(5, 1, 8, 9)), "*shape (N, 1, 8, 8); got (5, 1, 8, 9)*");
        Refused(TrainingData.From(full([5, 1, 8, 8], 17.0f)), "*whole numbers in 0 ... 16*");
        Refused(TrainingData.From(rand(5, 1, 8, 8)), "*whole numbers*must be turned back*");
        Refused(TrainingData.From(full([5, 1, 8, 8], float.NaN)), "*NaN*index (0, 0, 0, 0)*");
        Refused(TrainingData.From(zeros(5, 1, 8, 8), zeros(5, 2)), "*no context*");
        trainer.Step.Should().Be(0);
        var empty = () => TrainingData.From(zeros(0, 2));
        empty.Should().Throw<ArgumentException>().WithMessage("*at least one example*");
        using var elsewhere = new Trainer(model, few with { CheckpointPath = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName(),
            "x.safetensors") });
        var lost = () => elsewhere.Fit(TrainingData.From(zeros(5, 1, 8, 8)));
        lost.Should().Throw<DirectoryNotFoundException>();
    }

    [Fact]
    public void Patience_stops_and_the_best_weights_come_back()
    {
        using var scope = NewDisposeScope();
        using var model = new RealNvpModel(RealNvpOptions.Toy2D with { Hidden = 128 }, seed: 0);
        var train = Moons(24, 2);
        var validation = Moons(200, 2, seed: 9);
        using var trainer = new Trainer(model, new TrainingOptions { Epochs = 500, BatchSize = 24, LearningRate = 3e-3, Patience = 10 });
        var result = trainer.Fit(TrainingData.From(train), TrainingData.From(validation));
        result.Reason.Should().Be(StopReason.EarlyStopped, "24 points are soon learned by heart");
        var best = result.History.Min(h => h.ValidationLoss!.Value);
        result.History[result.BestEpoch!.Value - 1].ValidationLoss.Should().Be(best);
        (-model.Evaluate(validation).MeanLogProb).Should().BeApproximately(best, 1e-9);
    }

    [Fact]
    public void Arrays_and_data_loaders_are_accepted()
    {
        using var scope = NewDisposeScope();
        using var model = new RealNvpModel(RealNvpOptions.Toy2D, seed: 0);
        using (var trainer = new Trainer(model, few with { Epochs = 2 }))
            trainer.Fit(TrainingData.From(new float[,] { { 0, 1 }, { 1, 0 }, { 2, 2 }, { 3, 1 }, { 0, 0 } })).Step.Should().Be(2);

        var x = Moons(40, 2);
        using (var dataset = utils.data.TensorDataset(x))
        using (var loader = utils.data.DataLoader(dataset, 16, shuffle: true))
        using (var trainer = new Trainer(model, few with { Epochs = 2, ValidationFraction = 0 }))
        {
            var unknown = () => trainer.Fit(TrainingData.FromBatches(loader.Select(batch => batch[0])));
            unknown.Should().Throw<ArgumentException>().WithMessage("*cosine schedule needs the number of steps*");
            trainer.Fit(TrainingData.FromBatches(loader.Select(batch => batch[0]), loader.Count)).Step.Should().Be(6);
        }
    }

    [Theory, InlineData(true, BatchStatistics.Current), InlineData(true, BatchStatistics.Running),
        InlineData(false, BatchStatistics.Running)]
    public void Training_and_evaluation_agree_on_the_same_data(bool networkBatchNorm, BatchStatistics statistics)
    {
        using var scope = NewDisposeScope();
        var preset = (RealNvpImageOptions)PresetTable.RealNvp("Digits8x8");
        var options = preset with { Blocks = 1, Hidden = 8, NetworkBatchNorm = networkBatchNorm, Statistics = statistics };
        using var model = new RealNvpModel(options, seed: 1);
        var x = Integers(options, 512);
        using var trainer = new Trainer(model, TrainingOptions.For(options) with { Epochs = 12, ValidationFraction = 0,
            AverageDecay = null });
        trainer.Fit(TrainingData.From(x));
        var evaluation = model.Evaluate(x).BitsPerDim;
        model.train();
        using var gradients = no_grad();
        double training = 0;
        for (var i = 0; i < 8; i++)
            training += model.NegativeLogLikelihood(x.narrow(0, 64 * i, 64), seed: i).item<float>() / (64 * Math.Log(2)) / 8;
        Math.Abs(training - evaluation).Should().BeLessThan(0.02, "evaluation uses the statistics that training saw: {0} and {1} bits/dim",
            training, evaluation);
    }

    private static Tensor Moons(long count, long features, int seed = 1)
    {
        using var generator = new Generator((ulong)seed);
        var angle = rand([count], generator: generator).mul(Math.PI);
        var noise = randn([count, features], generator: generator).mul(0.1);
        noise.select(1, 0).add_(angle.cos());
        noise.select(1, 1).add_(angle.sin());
        return noise;
    }

    private static Tensor Integers(ModelOptions options, long count = 96)
    {
        // smooth images: something to learn
        using var generator = new Generator(2);
        if (!options.IsImage)
            return rand([count, 1], generator: generator).mul(options.Levels / 2).add(arange(options.Shape[0])).floor().to(ScalarType.Byte);
        var coarse = rand([count, options.Shape[0], options.Shape[1] / 2, options.Shape[2] / 2], generator: generator);
        return coarse.repeat_interleave(2, 2).repeat_interleave(2, 3).mul(0.8 * (options.Levels - 1)).round().to(ScalarType.Byte);
    }

    private sealed class Losses : IProgress<TrainingProgress>
    {
        public List<(long Step, double Loss, double Norm)> Values { get; } = [];

        public int After { get; init; } = -1;

        public Action? Then { get; init; }

        public void Report(TrainingProgress value)
        {
            Values.Add((value.Step, value.Loss, value.GradientNorm));
            if (Values.Count == After) Then?.Invoke();
        }
    }

    private sealed class Reciprocal : Bijection
    {
        public Reciprocal() : base(nameof(Reciprocal)) => RegisterComponents();

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) =>
            (x.reciprocal(), SumExamples(x.abs().log().mul(-2)));

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => ForwardCore(z, pass);
    }
}
