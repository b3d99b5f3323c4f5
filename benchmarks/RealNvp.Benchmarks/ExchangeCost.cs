using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using RealNvp.Mpi;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Benchmarks;

/// <summary>What a step of several processes spends on the exchange of gradients, and what is gained where that goes on beside the
/// backward pass. Start it by <c>mpirun</c>.</summary>
internal static class ExchangeCost
{
    private static readonly (string Name, Func<FlowModel> Model, int Rows)[] presets =
    [
        ("Toy2D", () => new RealNvpModel(RealNvpOptions.Toy2D, 1), 256),
        ("Tabular(10)", () => new RealNvpModel(RealNvpOptions.Tabular(10), 1), 256),
        ("MafOptions.Tabular(10)", () => new MafModel(MafOptions.Tabular(10), 1), 256),
        ("Digits8x8", () => new RealNvpModel(RealNvpOptions.Digits8x8, 1), 64),
    ];

    public static Command Command()
    {
        var steps = new Option<int>("--steps") { Description = "Steps in a turn.", DefaultValueFactory = _ => 20 };
        var turns = new Option<int>("--turns") { Description = "Turns of each way.", DefaultValueFactory = _ => 5 };
        var bytes = new Option<long>("--bucket") { Description = "The least size of a part of the gradients, in bytes.",
            DefaultValueFactory = _ => 1 << 20 };
        var name = new Option<string?>("--preset") { Description = "Only presets whose name contains it." };
        var command = new Command("exchange", "Times steps of the processes of mpirun, with one sum of the gradients and with parts.")
            { steps, turns, bytes, name };
        command.SetAction(parsed => MpiExchange.Run(exchange =>
        {
            set_num_threads(1);
            if (exchange.Rank == 0)
            {
                Console.WriteLine($"{exchange.Version}, {exchange.Size} processes");
                Console.WriteLine("| preset | weights | a step, one sum | of it in the exchange | a step, in parts | of it in the " +
                    "exchange | ratio |");
                Console.WriteLine("|---|---|---|---|---|---|---|");
            }
            foreach (var preset in presets)
                if (preset.Name.Contains(parsed.GetValue(name) ?? "", StringComparison.Ordinal))
                    Time(exchange, preset.Name, preset.Model, preset.Rows, parsed.GetValue(steps), parsed.GetValue(turns),
                        parsed.GetValue(bytes));
        }));
        return command;
    }

    private static void Time(MpiExchange exchange, string name, Func<FlowModel> make, int rows, int steps, int turns, long bytes)
    {
        using var scope = NewDisposeScope();
        using var flow = make();
        var (shape, weights) = (flow.InputShape, flow.parameters().Sum(p => p.numel()));
        var x = flow.IsStochastic ? randint(17, [rows * steps, .. shape], ScalarType.Float32) : randn([rows * steps, .. shape]);
        var data = TrainingData.From(x).Shard(exchange);
        List<double>[] taken = [[], []], inside = [[], []];
        for (var turn = 0; turn < turns; turn++)
            foreach (var way in new[] { 0, 1 })
            {
                var training = new TrainingOptions { Epochs = 1, BatchSize = (int)rows, ValidationFraction = 0, Seed = 1 };
                using var trainer = new Trainer(flow, training);
                var timed = way == 0 ? new Timed(exchange) : new TimedOverlap(exchange);
                (trainer.Exchange, trainer.BucketBytes) = (timed, bytes);
                var (clock, at) = (Stopwatch.StartNew(), 0.0);
                trainer.AfterBackward = step =>
                {
                    // from one backward pass to the next; the first one has much before it
                    if (step.Step > 1)
                    {
                        taken[way].Add(clock.Elapsed.TotalMilliseconds - at);
                        inside[way].Add(timed.Milliseconds);
                    }
                    (at, timed.Milliseconds) = (clock.Elapsed.TotalMilliseconds, 0);
                };
                trainer.Fit(data);
            }
        if (exchange.Rank != 0) return;
        static string Ms(List<double> values) => string.Create(CultureInfo.InvariantCulture,
            $"{values.Min():g3} ms ({values.Order().ElementAt(values.Count / 2):g3})");
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| `{name}`, {rows} rows | {weights:n0} | {Ms(taken[0])} | " +
            $"{Ms(inside[0])} | {Ms(taken[1])} | {Ms(inside[1])} | {taken[1].Min() / taken[0].Min():f2} |"));
    }

    private class Timed(IGradientExchange inner) : IGradientExchange
    {
        public double Milliseconds { get; set; }

        public int Rank => inner.Rank;

        public int Size => inner.Size;

        public void Sum(Tensor bucket) => Spend(() => inner.Sum(bucket));

        public void Broadcast(Tensor values, int root) => inner.Broadcast(values, root);

        public void Barrier() => inner.Barrier();

        public void Abort(string reason) => inner.Abort(reason);

        protected void Spend(Action call)
        {
            var from = Stopwatch.GetTimestamp();
            call();
            Milliseconds += Stopwatch.GetElapsedTime(from).TotalMilliseconds;
        }
    }

    private sealed class TimedOverlap(IOverlappingExchange inner) : Timed(inner), IOverlappingExchange
    {
        public void BeginSum(Tensor bucket) => Spend(() => inner.BeginSum(bucket));

        public void EndSums() => Spend(inner.EndSums);
    }
}
