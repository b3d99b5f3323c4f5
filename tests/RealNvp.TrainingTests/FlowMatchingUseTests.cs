using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training;

/// <summary>Flow matching with all that a training may have: contexts, weights, dtypes, small batches, other flows.</summary>
public class FlowMatchingUseTests
{
    private static readonly FfjordOptions small = FfjordOptions.Tabular(2) with { Hidden = 16, TimeFrequencies = 0 };

    public static TheoryData<string> Continuous =>
        [.. PresetTable.All.Where(p => p.Value is FfjordOptions).Select(p => p.Key)];

    [Theory, MemberData(nameof(Continuous)), LeavesNoTensors]
    public void Every_continuous_preset_trains_by_it_and_by_reflow_in_either_dtype(string name)
    {
        using var scope = NewDisposeScope();
        var options = PresetTable.All[name];
        foreach (var (dtype, given) in new[] { (float32, float32), (float32, float64), (float64, float64) })
        {
            using var model = options.NewModel(1);
            using var teacher = options.NewModel(2);
            foreach (var each in new[] { model, teacher })
            {
                RandomWeights.Draw(each, 3, 0.02);
                each.to(dtype);
            }
            var (x, context) = (PresetTable.Examples(options, 7).to(given), PresetTable.Context(options, 7)?.to(given));
            foreach (var objective in new[] { Objective.FlowMatching(),
                Objective.Reflow(teacher, new() { Method = OdeMethod.Euler, Steps = 2 }) })
            {
                using var trainer = new Trainer(model, objective, new TrainingOptions { Epochs = 1, BatchSize = 3, Seed = 1 });
                // the last batch has one example
                var result = trainer.Fit(TrainingData.From(x, context), TrainingData.From(x, context));
                result.History[^1].Loss.Should().BePositive("{0} of {1}", dtype, given);
                result.History[^1].ValidationLoss.Should().BePositive();
            }
        }
    }

    [Theory, InlineData("FFJORD, Matching2D"), InlineData("FFJORD, Tabular"), InlineData("FFJORD, Torus"), InlineData("FFJORD, Sphere"),
        LeavesNoTensors]
    public void Log_probabilities_are_differentiable_along_weights_data_and_contexts(string name)
    {
        using var scope = NewDisposeScope();
        var options = (FfjordOptions)PresetTable.All[name] with { Tolerance = 1e-10 };
        using var model = options.NewModel(1);
        RandomWeights.Draw(model, 3, 0.3);
        model.to(float64);
        model.eval();
        var (x, context) = (PresetTable.Examples(options, 3), PresetTable.Context(options, 3));
        var (free, given) = (x.clone().requires_grad_(true), context?.clone().requires_grad_(true));
        // of the weights the loss has gradients; of x and the context LogProb has them too
        model.NegativeLogLikelihood(free, given).mul(-3).backward();
        using (no_grad())
        {
            double Sum(Tensor at, Tensor? under) => model.LogProb(at, under).sum().item<double>();
            const double h = 1e-5;
            foreach (var (key, parameter) in model.named_parameters())
            {
                var direction = randn(parameter.shape, dtype: float64);
                parameter.add_(direction.mul(h));
                var above = Sum(x, context);
                parameter.sub_(direction.mul(2 * h));
                var below = Sum(x, context);
                parameter.add_(direction.mul(h));
                Agree(parameter.grad!.mul(direction).sum().item<double>(), (above - below) / (2 * h), key);
            }
            // on the sphere, along it
            var along = randn(x.shape, dtype: float64);
            if (options.Base == BaseDensityKind.UniformSphere) along = along.sub(x.mul(along.mul(x).sum(1, keepdim: true)));
            Agree(free.grad!.mul(along).sum().item<double>(),
                (Sum(x.add(along.mul(h)), context) - Sum(x.sub(along.mul(h)), context)) / (2 * h),
                "x");
            if (context is not null)
            {
                var other = randn(context.shape, dtype: float64);
                Agree(given!.grad!.mul(other).sum().item<double>(),
                    (Sum(x, context.add(other.mul(h))) - Sum(x, context.sub(other.mul(h)))) / (2 * h), "context");
            }
        }
        var scored = x.clone().requires_grad_(true);
        model.LogProb(scored, context).sum().backward();
        scored.grad!.sub(free.grad!).abs().max().item<double>().Should().BeLessThan(1e-7);

        static void Agree(double gradient, double difference, string of) =>
            gradient.Should().BeApproximately(difference, 1e-6 * Math.Max(1, Math.Abs(difference)), "{0}", of);
    }

    [Fact, LeavesNoTensors]
    public void A_resumed_training_goes_on_to_the_same_bit()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var x = Blob(90, 1);
        var options = new TrainingOptions { Epochs = 4, BatchSize = 20, Seed = 3, ValidationFraction = 0.2 };
        var path = folder.At("half.safetensors");
        using var whole = new FfjordModel(small, 0);
        using var trainer = new Trainer(whole, Objective.FlowMatching(), options);
        trainer.Fit(TrainingData.From(x));
        using var parted = new FfjordModel(small, 0);
        using var stop = new CancellationTokenSource();
        using (var first = new Trainer(parted, Objective.FlowMatching(), options with { CheckpointPath = path }))
            first.Fit(TrainingData.From(x), progress: new StopAt(6, stop), cancellationToken: stop.Token).Step.Should().Be(6);
        FluentActions.Invoking(() => Trainer.Resume(path)).Should().Throw<InvalidDataException>().WithMessage("*FlowMatching*");
        using var again = Trainer.Resume(path, parts: new() { Objective = Objective.FlowMatching() });
        again.Fit(TrainingData.From(x));
        var state = again.Flow.state_dict();
        foreach (var (key, tensor) in whole.state_dict()) tensor.equal(state[key]).all().item<bool>().Should().BeTrue("{0}", key);
        again.Flow.Dispose();
    }

    [Fact]
    public void What_goes_wrong_is_named()
    {
        using var scope = NewDisposeScope();
        var x = Blob(40, 1);
        using var model = new FfjordModel(small, 0);
        using (var trainer = new Trainer(model, Objective.FlowMatching(), new TrainingOptions { Epochs = 1 }))
        {
            var bad = x.clone();
            bad[3, 1] = float.NaN;
            FluentActions.Invoking(() => trainer.Fit(TrainingData.From(bad))).Should().Throw<ArgumentException>()
                .WithMessage("*NaN*row 3*");
        }
        FluentActions.Invoking(() => new Trainer(model, Objective.FlowMatching(), new TrainingOptions { Reversible = true })).Should()
            .Throw<ArgumentException>().WithMessage("*Reversible*FlowMatching*");
        FluentActions.Invoking(() => new Trainer(model, Objective.Reflow(model), new TrainingOptions { Epochs = 1 })
            .Fit(TrainingData.From(x))).Should().Throw<ArgumentException>().WithMessage("*Reflow*teacher*does not change*");
        using var other = new FfjordModel(FfjordOptions.Toy2D with { Shape = [3] }, 0);
        FluentActions.Invoking(() => new Trainer(model, Objective.Reflow(other), new TrainingOptions { Epochs = 1 })
            .Fit(TrainingData.From(x))).Should().Throw<ArgumentException>().WithMessage("*Reflow*(2,)*(3,)*");
        FluentActions.Invoking(() => Objective.Reflow(model, options: new() { Pairing = FlowMatchingPairing.Sinkhorn })).Should()
            .Throw<ArgumentException>().WithMessage("*pairs of its teacher*");
        using var plain = new Flow([2], new DiagonalScaling([2]));
        FluentActions.Invoking(() => Objective.Reflow(plain, new())).Should().Throw<ArgumentException>().WithMessage("*No layer*solves*");
        Objective.Reflow(model).Name.Should().Be("Reflow(path: Straight, sigma: 0)");
        // a density that learns would not: it is named, and may be frozen
        using var learned = new FfjordModel(small with { Base = BaseDensityKind.StudentT }, 0);
        using var batch = new TrainingBatch(x.clone());
        FluentActions.Invoking(() => Objective.FlowMatching().Loss(learned, batch, 1)).Should().Throw<ArgumentException>()
            .WithMessage("*base_density*freeze*");
        foreach (var parameter in learned.BaseDensity.parameters()) parameter.requires_grad_(false);
        Objective.FlowMatching().Loss(learned, batch, 1).isfinite().all().item<bool>().Should().BeTrue();
        // weights that are not finite
        using (no_grad())
            model.named_parameters().Single(p => p.name.EndsWith("layers.1.bias", StringComparison.Ordinal)).parameter[2] = float.NaN;
        using var broken = new Trainer(model, Objective.FlowMatching(), new TrainingOptions { Epochs = 1 });
        FluentActions.Invoking(() => broken.Fit(TrainingData.From(x))).Should().Throw<NonFiniteException>();
    }

    [Fact, LeavesNoTensors]
    public void Heavy_examples_count_as_often_as_they_weigh()
    {
        using var scope = NewDisposeScope();
        // three in four of all weight are on the left
        var x = cat([Blob(600, 1).sub(3), Blob(600, 2).add(3)]);
        var weights = cat([full(600, 3f), ones(600)]);
        using var model = new FfjordModel(small with { Standardize = false }, 0);
        using var trainer = new Trainer(model, Objective.FlowMatching(), new TrainingOptions { Epochs = 12, BatchSize = 100,
            LearningRate = 1e-2, ValidationFraction = 0, AverageDecay = 0.95 });
        trainer.Fit(TrainingData.From(x, weights: weights));
        model.SampleWith(new() { Method = OdeMethod.Rk4, Steps = 12 }, 1000, seed: 1).select(1, 0).lt(0).to(float32).mean().item<float>()
            .Should().BeInRange(0.68f, 0.82f);
    }

    [Fact, LeavesNoTensors]
    public void A_network_of_ones_own_learns_given_a_label()
    {
        using var scope = NewDisposeScope();
        manual_seed(4);
        using var flow = new Flow([2], new ContinuousLayer(Dynamics.From(new Own(), 2), [2]), contextEncoder: new LabelEncoder(2));
        var labels = arange(600).remainder(2);
        var x = Blob(600, 3).add(labels.to(float32).mul(6).sub(3).unsqueeze(1));
        using var trainer = new Trainer(flow, Objective.FlowMatching(), new TrainingOptions { Epochs = 12, BatchSize = 50,
            LearningRate = 1e-2, ValidationFraction = 0 });
        trainer.Fit(TrainingData.From(x, labels));
        var means = flow.SampleWith(new() { Method = OdeMethod.Midpoint, Steps = 8 }, 200, tensor(new long[] { 0, 1 }), seed: 1).mean([1L]);
        means[0].add(3).abs().max().item<float>().Should().BeLessThan(0.4f);
        means[1].sub(3).abs().max().item<float>().Should().BeLessThan(0.4f);
    }

    [Fact, LeavesNoTensors]
    public void Reflow_makes_paths_straighter()
    {
        using var scope = NewDisposeScope();
        var x = cat([Blob(500, 1).sub(2), Blob(500, 2).add(2)]);
        var options = small with { Standardize = false, Hidden = 32 };
        var training = new TrainingOptions { Epochs = 15, BatchSize = 100, LearningRate = 1e-2, ValidationFraction = 0,
            AverageDecay = 0.95 };
        using var teacher = new FfjordModel(options, 0);
        using (var trainer = new Trainer(teacher, Objective.FlowMatching(new() { Pairing = FlowMatchingPairing.Independent }), training))
            trainer.Fit(TrainingData.From(x));
        var solver = new OdeOptions { Method = OdeMethod.Rk4, Steps = 12 };
        var made = teacher.SampleWith(solver, 1000, seed: 2);
        using var student = new FfjordModel(options, 1);
        using (var trainer = new Trainer(student, Objective.Reflow(teacher, solver), training)) trainer.Fit(TrainingData.From(made));
        (OneStep(teacher) / OneStep(student)).Should().BeGreaterThan(3);
        // and its samples are still those of the two blobs
        var samples = student.SampleWith(solver, 1000, seed: 3);
        samples.abs().mean().item<float>().Should().BeApproximately(2, 0.2f);

        double OneStep(FfjordModel flow) => flow.SampleWith(new() { Method = OdeMethod.Euler, Steps = 1 }, 500, seed: 5)
            .sub(flow.SampleWith(solver, 500, seed: 5)).pow(2).sum(1).mean().item<float>();
    }

    private static Tensor Blob(long count, ulong seed)
    {
        using var generator = new Generator(seed);
        return randn(count, 2, generator: generator).mul(0.3);
    }

    private sealed class StopAt(long step, CancellationTokenSource stop) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value)
        {
            if (value.Step == step) stop.Cancel();
        }
    }

    private sealed class Own : nn.Module<Tensor, Tensor, Tensor, Tensor>
    {
        private readonly nn.Module<Tensor, Tensor> net = nn.Sequential(nn.Linear(5, 32), nn.SiLU(), nn.Linear(32, 2));

        public Own() : base(nameof(Own)) => RegisterComponents();

        public override Tensor forward(Tensor t, Tensor x, Tensor context) => net.call(cat([t.unsqueeze(1), x, context], 1));
    }
}
