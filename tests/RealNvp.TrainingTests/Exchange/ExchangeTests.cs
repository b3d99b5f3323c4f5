using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training.Exchange;

/// <summary>Several processes train as one with all data, whatever their number.</summary>
public partial class ExchangeTests
{
    /// <summary>What a training came to.</summary>
    private sealed record Trained(TrainingResult Result, Dictionary<string, double[]> State, List<double[]> Gradients,
        List<TrainingProgress> Heard, int Begun);

    /// <summary>Data of a kind.</summary>
    private sealed record Case(string Name, Func<FlowModel> Model, Func<(Tensor X, Tensor? Context, Tensor? Weights)> Data);

    private static readonly TrainingOptions options = new() { Epochs = 2, BatchSize = 20, Seed = 3, AverageDecay = 0.9,
        MaxGradientNorm = 5 };

    private static Tensor Rows(long n, long size, long seed = 4)
    {
        using var generator = new Generator((ulong)seed);
        return randn([n, size], dtype: float64, generator: generator).mul(3).add(arange(size, dtype: float64).mul(10));
    }

    // where a spline that nothing standardizes for is no identity
    private static Tensor InRange(long n) => Rows(n, 3).sub(arange(3, dtype: float64).mul(10)).div(3);

    private static Tensor Bytes(long n, long[] shape, int levels = 17)
    {
        using var generator = new Generator(5);
        return rand([n, .. shape], dtype: float64, generator: generator).mul(levels).floor().clamp(0, levels - 1);
    }

    private static readonly Case[] cases =
    [
        new("vectors, standardized", () => new RealNvpModel(RealNvpOptions.Tabular(3) with { Layers = 3, Hidden = 8 }, 1),
            () => (Rows(50, 3), null, null)),
        new("vectors with contexts and weights, batch normalization", () => new RealNvpModel(RealNvpOptions.Tabular(3) with
        {
            Layers = 3, Hidden = 8, ContextSize = 2, FlowBatchNorm = true,
        }, 1), () => (Rows(50, 3), Rows(50, 2, 7), Rows(50, 1, 8).abs().squeeze(1))),
        new("rows of weight 0", () => new RealNvpModel(RealNvpOptions.Tabular(2) with { Layers = 2, Hidden = 8 }, 1),
            () => (Rows(80, 2), null, arange(80, dtype: float64).remainder(5))),
        new("dropout", () => new SplineFlowModel(SplineFlowOptions.Miniboone with { Shape = [3], Layers = 2, Dropout = 0.3, Hidden = 8 },
            1),
            () => (InRange(70), null, null)),
        new("images, dequantized, flipped, batch normalization of networks", () => new RealNvpModel(RealNvpOptions.Digits8x8 with
        {
            Shape = [1, 4, 4], Hidden = 4, Blocks = 1,
        }, 1), () => (Bytes(50, [1, 4, 4]), null, null)),
        new("images, running statistics", () => new RealNvpModel(RealNvpOptions.Digits8x8 with
        {
            Shape = [1, 4, 4], Hidden = 4, Blocks = 1, Statistics = BatchStatistics.Running, FlowBatchNorm = true,
        }, 1), () => (Bytes(50, [1, 4, 4]), null, null)),
        new("images, the first batch", () => new GlowModel(GlowOptions.Cifar10 with { Shape = [3, 4, 4], Scales = 1, Layers = 2,
            Hidden = 4 }, 1),
            () => (Bytes(50, [3, 4, 4], 256), null, null)),
    ];

    public static TheoryData<string> Cases => [.. cases.Select(c => c.Name)];

    private static Case Of(string name) => cases.Single(c => c.Name == name);

    // gradients are summed in parts of this size while the backward pass goes on
    private const long SmallBuckets = 512;

    private static Trained Train(FlowModel model, TrainingData data, TrainingOptions how, IGradientExchange? exchange,
        TrainingData? validation = null, long buckets = SmallBuckets)
    {
        using var trainer = new Trainer(model, how) { Exchange = exchange, BucketBytes = buckets };
        var gradients = new List<double[]>();
        var heard = new List<TrainingProgress>();
        trainer.AfterBackward = step =>
        {
            using var scope = NewDisposeScope();
            gradients.Add([.. step.Parameters.Where(p => p.Parameter.grad is not null)
                .SelectMany(p => p.Parameter.grad!.to(float64).flatten().data<double>().ToArray())]);
        };
        var result = trainer.Fit(data, validation, new Listener(heard));
        return new Trained(result, model.state_dict().ToDictionary(t => t.Key, t => t.Value.to(float64).flatten().data<double>().ToArray()),
            gradients, heard, (exchange as ThreadExchange)?.Calls.Count(c => c.StartsWith("begin", StringComparison.Ordinal)) ?? 0);
    }

    private sealed class Listener(List<TrainingProgress> heard) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => heard.Add(value);
    }

    // a new flow is the identity, and the gradients of most of its weights are 0: theirs would agree whatever is summed
    private static FlowModel Moved(Case of, ScalarType dtype, double by = 0.1)
    {
        using var scope = NewDisposeScope();
        var model = of.Model();
        using var generator = new Generator(11);
        using (no_grad())
            foreach (var parameter in model.parameters()) parameter.add_(randn(parameter.shape, generator: generator).mul(by));
        model.to(dtype);
        return model;
    }

    // each process begins with other weights and statistics, which must not matter
    private static Trained[] TrainOn(int size, Case of, ScalarType dtype, TrainingOptions how, long buckets = SmallBuckets)
    {
        var first = Moved(of, dtype);
        return ThreadExchange.Run(size, exchange =>
        {
            using var scope = NewDisposeScope();
            using var model = exchange.Rank == 0 ? first : Moved(of, dtype, 0.2);
            if (exchange.Rank > 0)
                using (no_grad())
                    foreach (var buffer in model.buffers().Where(b => b.is_floating_point())) buffer.add_(exchange.Rank);
            var (x, context, weights) = of.Data();
            return Train(model, TrainingData.From(x, context, weights).Shard(exchange), how, exchange, buckets: buckets);
        });
    }

    private static Trained TrainAlone(Case of, ScalarType dtype, TrainingOptions how)
    {
        using var scope = NewDisposeScope();
        using var model = Moved(of, dtype);
        var (x, context, weights) = of.Data();
        return Train(model, TrainingData.From(x, context, weights), how, null);
    }

    private static double Gap(double[] a, double[] b)
    {
        a.Length.Should().Be(b.Length);
        var scale = Math.Max(1, b.Select(Math.Abs).DefaultIfEmpty(0).Max());
        return a.Zip(b).Select(p => double.IsNaN(p.First) || double.IsNaN(p.Second) ? 1 : Math.Abs(p.First - p.Second)).DefaultIfEmpty(0)
            .Max()
            / scale;
    }

    [Theory, MemberData(nameof(Cases))]
    public void Gradients_weights_statistics_and_losses_of_three_processes_are_those_of_one(string name) => Agree(name, 3);

    [SlowTheory, MemberData(nameof(Cases))]
    public void Those_of_one_and_of_two_are_too(string name) => Agree(name, 1, 2);

    private static void Agree(string name, params int[] sizes)
    {
        using var off = KernelSwitch.AllOff();
        var of = Of(name);
        // images have hundreds of small operations in a step
        var how = name.StartsWith("images", StringComparison.Ordinal) ? options with { Epochs = 1 } : options;
        var alone = TrainAlone(of, float64, how);
        foreach (var size in sizes)
        {
            var all = TrainOn(size, of, float64, how);
            foreach (var (trained, rank) in all.Select((t, r) => (t, r)))
            {
                trained.Gradients.Should().HaveCount(alone.Gradients.Count);
                for (var step = 0; step < alone.Gradients.Count; step++)
                    Gap(trained.Gradients[step], alone.Gradients[step]).Should().BeLessThan(step == 0 ? 1e-12 : 1e-9,
                        $"gradients of step {step} on process {rank} of {size}");
                foreach (var (key, values) in alone.State)
                    Gap(trained.State[key], values).Should().BeLessThan(1e-9, $"{key} on process {rank} of {size}");
                trained.Result.HeldOut.Should().Be(alone.Result.HeldOut);
                trained.Result.BestEpoch.Should().Be(alone.Result.BestEpoch);
                for (var epoch = 0; epoch < how.Epochs; epoch++)
                {
                    trained.Result.History[epoch].Loss.Should().BeApproximately(alone.Result.History[epoch].Loss, 1e-9);
                    trained.Result.History[epoch].ValidationLoss!.Value.Should()
                        .BeApproximately(alone.Result.History[epoch].ValidationLoss!.Value, 1e-9);
                }
                trained.Heard.Count.Should().Be(rank == 0 ? alone.Heard.Count : 0, "process 0 alone tells of its progress");
                // all have the same bits
                foreach (var (key, values) in trained.State) values.Should().Equal(all[0].State[key], key);
            }
        }
    }

    private static double Length(IEnumerable<double> values) => Math.Sqrt(values.Sum(v => v * v));

    // What the rounding of a gradient is relative to: it is a sum over rows, whose parts are rounded before they cancel. This is the length
    // of Σ |part| over the rows of the first batch, with the gradients through their common statistics.
    private static double Magnitude(Case of, TrainingOptions how)
    {
        var length = 0.0;
        var rows = Objective.From("rows", (flow, batch, seed) =>
        {
            using var scope = NewDisposeScope();
            var losses = flow.TrainingLogProb(batch.X, batch.Context, seed).neg();
            var weights = batch.Weights?.to(losses.dtype) ?? ones_like(losses);
            var parts = losses.mul(weights).div(weights.sum());
            Tensor[] parameters = [.. flow.parameters().Where(p => p.requires_grad)];
            var sums = Array.ConvertAll(parameters, p => zeros_like(p, requires_grad: false));
            for (var row = 0; row < batch.Count; row++)
            {
                using var inner = NewDisposeScope();
                var own = autograd.grad([parts[row]], parameters, retain_graph: true, allow_unused: true);
                foreach (var (sum, part) in sums.Zip(own))
                    if (!part.IsInvalid) sum.add_(part.abs());
            }
            length = Length(sums.SelectMany(s => s.to(float64).flatten().data<double>().ToArray()));
            return scope.MoveToOuter(losses);
        });
        using var scope = NewDisposeScope();
        using var model = Moved(of, float32);
        using var trainer = new Trainer(model, rows, how);
        var (x, context, weights) = of.Data();
        trainer.Fit(TrainingData.From(x, context, weights));
        return length;
    }

    // Relative to the gradient itself, one process is already 2e-6 off the gradient of float64 with batch normalization in each block, and
    // 1e-6 off another formula of the same batch normalization: there a gradient is the small rest of large parts.
    [SlowTheory, MemberData(nameof(Cases))]
    public void In_float32_the_first_gradient_agrees_to_a_millionth_of_what_it_is_a_sum_of(string name)
    {
        // batch normalization in one process has a kernel, which rounds in another way than operations on parts of a batch
        using var off = KernelSwitch.AllOff();
        var of = Of(name);
        var once = options with { MaxSteps = 1, ValidationFraction = 0 };
        var alone = TrainAlone(of, float32, once);
        var magnitude = Magnitude(of, once);
        // no looser than ten times the gradient, whatever its parts
        magnitude.Should().BeInRange(Length(alone.Gradients[0]), 10 * Length(alone.Gradients[0]));
        foreach (var size in new[] { 1, 2, 3 })
            foreach (var trained in TrainOn(size, of, float32, once))
                (Length(trained.Gradients[0].Zip(alone.Gradients[0], (a, b) => a - b)) / magnitude).Should()
                    .BeLessThan(1e-6, $"{size} processes");
    }
}
