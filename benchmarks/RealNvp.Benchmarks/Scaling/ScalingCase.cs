using System.Diagnostics;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Benchmarks.Scaling;

/// <summary>A preset with the batch that its steps are timed with.</summary>
/// <param name="Name">As the page has it.</param>
/// <param name="Options">The model.</param>
/// <param name="Batch">The rows of a step of all processes.</param>
internal sealed record ScalingCase(string Name, ModelOptions Options, int Batch)
{
    public static IReadOnlyList<ScalingCase> All { get; } =
    [
        new("`Toy2D`", RealNvpOptions.Toy2D, 256),
        new("`Tabular(10)`", RealNvpOptions.Tabular(10), 256),
        new("`SplineFlowOptions.Tabular(10)`", SplineFlowOptions.Tabular(10), 256),
        new("`MafOptions.Tabular(10)`", MafOptions.Tabular(10), 256),
        new("`Digits8x8`", RealNvpOptions.Digits8x8, 64),
        new("`Grey28x28`", RealNvpOptions.Grey28x28, 64),
    ];

    private const int WarmUp = 2, StepsOfAnEpoch = 20;

    /// <summary>The seconds of a whole training step, least of several, after some that do not count.</summary>
    /// <param name="rows">The rows of the step, of all processes.</param>
    /// <param name="time">How long to look; at least two steps.</param>
    /// <param name="exchange">Other processes; null for none.</param>
    public double Step(int rows, TimeSpan time, IGradientExchange? exchange = null)
    {
        using var scope = NewDisposeScope();
        using var flow = Options.NewModel(1);
        var (steps, least, last) = (0, double.MaxValue, 0L);
        var watch = Stopwatch.StartNew();
        using var trainer = new Trainer(flow, TrainingOptions.For(Options) with
        {
            Epochs = 1_000_000, BatchSize = rows, ValidationFraction = 0, Patience = null, AverageDecay = null, Seed = 1,
            // the same few rows again and again: they are not to be learned
            LearningRate = 1e-6,
        })
        { Exchange = exchange };
        using var enough = new CancellationTokenSource();
        trainer.AfterBackward = _ =>
        {
            var now = Stopwatch.GetTimestamp();
            if (steps++ > WarmUp) least = Math.Min(least, Stopwatch.GetElapsedTime(last, now).TotalSeconds);
            last = now;
            if (watch.Elapsed > time && steps > WarmUp + 2) enough.Cancel();
        };
        // epochs of many steps: what comes after an epoch, such as the look that all have the same weights, is none of a step
        var data = TrainingData.From(Examples(rows * StepsOfAnEpoch));
        trainer.Fit(exchange is null ? data : data.Shard(exchange), cancellationToken: enough.Token);
        return least;
    }

    /// <summary>The bytes of each sum over processes that one step asks for.</summary>
    public IReadOnlyList<long> Sums()
    {
        IReadOnlyList<long> result = [];
        PairExchange.Run(exchange =>
        {
            using var scope = NewDisposeScope();
            using var flow = Options.NewModel(1);
            using var trainer = new Trainer(flow, TrainingOptions.For(Options) with
            {
                Epochs = 1, BatchSize = 8, ValidationFraction = 0, AverageDecay = null, Seed = 1,
            })
            { Exchange = exchange };
            var marks = new List<int>();
            trainer.AfterBackward = _ => marks.Add(exchange.Sums.Count);
            trainer.Fit(TrainingData.From(Examples(24)).Shard(exchange));
            if (exchange.Rank == 0) result = exchange.Sums[marks[0]..marks[1]];
        });
        return result;
    }

    /// <summary>The numbers that are trained.</summary>
    public long Weights
    {
        get
        {
            using var flow = Options.NewModel(1);
            return flow.parameters().Sum(p => p.numel());
        }
    }

    private Tensor Examples(long rows)
    {
        using var generator = new Generator(2);
        long[] shape = [rows, .. Options.Shape];
        return Options.Shape.Count == 1 ? randn(shape, generator: generator)
            : randint(0, Options.Levels, shape, generator: generator).to(ScalarType.Float32);
    }
}
