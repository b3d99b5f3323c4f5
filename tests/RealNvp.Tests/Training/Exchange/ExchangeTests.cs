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
        List<TrainingProgress> Heard);

    /// <summary>Data of a kind.</summary>
    private sealed record Case(string Name, Func<FlowModel> Model, Func<(Tensor X, Tensor? Context, Tensor? Weights)> Data);

    private static readonly TrainingOptions options = new() { Epochs = 2, BatchSize = 20, Seed = 3, AverageDecay = 0.9,
        MaxGradientNorm = 5 };

    private static Tensor Rows(long n, long size, long seed = 4)
    {
        using var generator = new Generator((ulong)seed);
        return randn([n, size], dtype: float64, generator: generator).mul(3).add(arange(size, dtype: float64).mul(10));
    }

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
            () => (Rows(70, 3), null, null)),
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

    private static Trained Train(FlowModel model, TrainingData data, TrainingOptions how, IGradientExchange? exchange,
        TrainingData? validation = null)
    {
        using var trainer = new Trainer(model, how) { Exchange = exchange };
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
            gradients, heard);
    }

    private sealed class Listener(List<TrainingProgress> heard) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => heard.Add(value);
    }

    // each process begins with other weights, which must not matter
    private static Trained[] TrainOn(int size, Case of, ScalarType dtype, TrainingOptions how)
    {
        var first = of.Model();
        return ThreadExchange.Run(size, exchange =>
        {
            using var scope = NewDisposeScope();
            using var model = exchange.Rank == 0 ? first : of.Model();
            model.to(dtype);
            if (exchange.Rank > 0)
                using (no_grad())
                    foreach (var parameter in model.parameters()) parameter.add_(0.1);
            var (x, context, weights) = of.Data();
            return Train(model, TrainingData.From(x, context, weights).Shard(exchange), how, exchange);
        });
    }

    private static Trained TrainAlone(Case of, ScalarType dtype, TrainingOptions how)
    {
        using var scope = NewDisposeScope();
        using var model = of.Model();
        model.to(dtype);
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
        var alone = TrainAlone(of, float64, options);
        foreach (var size in sizes)
        {
            var all = TrainOn(size, of, float64, options);
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
                for (var epoch = 0; epoch < 2; epoch++)
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

    // a gradient is one vector: what is rounded in an element is none of that element's size, but of what it is a sum of
    private static double Distance(double[] a, double[] b) =>
        Math.Sqrt(a.Zip(b).Sum(p => (p.First - p.Second) * (p.First - p.Second)) / b.Sum(v => v * v));

    // 1.1e-6 was seen with batch normalization in each block: its gradient is what is left of a difference
    private static double Rounding(string name) => name is "images, dequantized, flipped, batch normalization of networks"
        or "images, running statistics" ? 1.5e-6 : 1e-6;

    [SlowTheory, MemberData(nameof(Cases))]
    public void In_float32_the_first_gradient_agrees_to_about_a_millionth(string name)
    {
        // batch normalization in one process has a kernel, which rounds in another way than operations on parts of a batch
        using var off = KernelSwitch.AllOff();
        var of = Of(name);
        var once = options with { MaxSteps = 1, ValidationFraction = 0 };
        var alone = TrainAlone(of, float32, once);
        foreach (var trained in TrainOn(2, of, float32, once))
            Distance(trained.Gradients[0], alone.Gradients[0]).Should().BeLessThan(Rounding(name));
    }
}
