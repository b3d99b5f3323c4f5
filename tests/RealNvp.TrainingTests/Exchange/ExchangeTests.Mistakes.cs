using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training.Exchange;

/// <content>What a program does wrong on the way to several processes, and would get wrong numbers or wait for ever by.</content>
public partial class ExchangeTests
{
    private static readonly TrainingOptions once = options with { Epochs = 1, ValidationFraction = 0 };

    private static IEnumerable<Tensor> Batches(long seed, int count = 3)
    {
        for (var i = 0; i < count; i++) yield return Rows(8, 2, (seed * 100) + i);
    }

    private sealed class Again(Func<IEnumerable<Tensor>> batches) : IEnumerable<Tensor>
    {
        public IEnumerator<Tensor> GetEnumerator() => batches().GetEnumerator();

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }

    private static TrainingData Loader(Func<long> seed) => TrainingData.FromBatches(new Again(() => Batches(seed())), 3);

    [Fact]
    public void Shard_of_data_that_are_not_the_same_on_all_is_refused_as_it_would_lose_rows()
    {
        foreach (var data in new Func<ThreadExchange, TrainingData>[]
        {
            e => TrainingData.From(Rows(90, 2, e.Rank)).Shard(e), e => TrainingData.From(Rows(90 + e.Rank, 2)).Shard(e),
            e => TrainingData.From(Rows(90, 2), weights: Rows(90, 1, e.Rank).abs().squeeze(1)).Shard(e),
            e => Loader(() => e.Rank).Shard(e),
        })
        {
            var (_, faults, aborted) = FitAll(2, once, data);
            aborted.Should().OnlyContain(a => a == null);
            faults.Should().AllBeOfType<InvalidOperationException>();
            faults[0]!.Message.Should().Contain("Process 1 of 2").And.Contain("than process 0").And.Contain("seed").And
                .Contain("AsShard()");
        }
        // a loader that mixes anew by itself, from the second epoch on
        var epoch = new[] { 0L, 0L };
        FitAll(2, once with { Epochs = 2 }, e => Loader(() => epoch[e.Rank]++ < 2 ? 0 : e.Rank).Shard(e)).Faults[1]!.Message.Should()
            .Contain("another first batch than process 0");
    }

    [Fact]
    public void The_same_data_on_all_as_the_part_of_each_are_told_of_as_each_row_would_count_more_than_once()
    {
        string[] Warnings(Func<ThreadExchange, TrainingData> data) =>
            [.. FitAll(3, once, data).Results[0].Warnings.Where(w => w.Contains("counts twice", StringComparison.Ordinal))];
        Warnings(e => TrainingData.From(Rows(90, 2)).AsShard()).Should().ContainSingle()
            .Which.Should().Contain("Processes 0 and 1").And.Contain("Shard(exchange)");
        Warnings(e => Loader(() => 4).AsShard()).Should().ContainSingle().Which.Should().Contain("Processes 0 and 1");
        Warnings(e => Loader(() => e.Rank / 2).AsShard()).Should().ContainSingle().Which.Should().Contain("Processes 0 and 1");
        Warnings(e => TrainingData.From(Rows(90, 2, e.Rank)).AsShard()).Should().BeEmpty();
        Warnings(e => Loader(() => e.Rank).AsShard()).Should().BeEmpty();
        Warnings(e => Part(e)).Should().BeEmpty();
        Warnings(e => Loader(() => 4).Shard(e)).Should().BeEmpty();
    }

    [Fact]
    public void Batches_that_are_all_smaller_than_the_number_of_processes_are_refused_if_layers_must_be_fitted_to_them()
    {
        static Func<ThreadExchange, TrainingData> Of(params long[] sizes) => exchange => TrainingData.FromBatches(new Again(() =>
            sizes.Select((rows, i) => Rows(rows, 2, i))), sizes.Length).Shard(exchange);
        var refused = FitAll(3, once, Of(1, 2, 2, 1)).Faults;
        // each process finds it, or hears of it from one that was faster
        refused.Should().Contain(f => f is ArgumentException).And.OnlyContain(f => f is ArgumentException
            || f is ThreadExchange.BrokenException);
        foreach (var fault in refused)
            fault!.Message.Should().Contain("Batches: 4, of at most 2 rows; processes: 3").And.Contain("batches of at least 3 rows").And
                .Contain("fewer processes").And.Contain("FitLayers");
        FitAll(2, once, Of(1, 2, 2, 1)).Faults.Should().OnlyContain(f => f == null, "two processes have a row each of some batch");
        FitAll(3, once, Of(1, 2, 3, 1)).Faults.Should().OnlyContain(f => f == null);
        FitAll(3, once, Of(1, 2, 2, 1), _ =>
            new RealNvpModel(RealNvpOptions.Tabular(2) with { Layers = 2, Hidden = 8, Standardize = false }, 1)).Faults
            .Should().OnlyContain(f => f == null, "nothing is fitted, and a step may leave a process without rows");
        // batches of their own, of which one process has none
        FitAll(2, once, e => TrainingData.FromBatches(new Again(() => Batches(e.Rank, 3 * e.Rank)), 3).AsShard()).Faults[0]!.Message
            .Should().Contain("Process 0 of 2 got no batch").And.Contain("each process at least one");
    }

    [Fact]
    public void What_is_said_of_the_data_is_of_all_rows()
    {
        string[] Said(int size, Func<Tensor> rows, Func<Tensor, int, TrainingData> data, bool standardize = true)
        {
            var results = ThreadExchange.Run(size, exchange =>
            {
                using var scope = NewDisposeScope();
                using var flow = new RealNvpModel(RealNvpOptions.Tabular(2) with { Layers = 2, Hidden = 8, Standardize = standardize }, 1);
                using var trainer = new Trainer(flow, once) { Exchange = size == 1 ? null : exchange };
                var all = data(rows(), size);
                return trainer.Fit(size == 1 ? all : all.Shard(exchange));
            });
            foreach (var other in results) other.Warnings.Should().BeEquivalentTo(results[0].Warnings);
            return [.. results[0].Warnings];
        }
        // constant in each half; one row far out in the last part
        foreach (var rows in new Func<Tensor>[]
        {
            () => cat([Rows(60, 1), arange(60, dtype: float64).div(30).floor().unsqueeze(1)], 1),
            () => cat([Rows(59, 2), full([1, 2], 1e6, dtype: float64)], 0),
        })
            foreach (var data in new Func<Tensor, int, TrainingData>[]
            {
                (x, _) => TrainingData.From(x), (x, _) => TrainingData.FromBatches(new Again(() => x.split(20).Select(b => b.clone())), 3),
            })
            {
                var alone = Said(1, rows, data);
                // of a loader rows have other places: those of a process stand together
                string Text(string[] said) => string.Join('\n', said.Order().Select(s => System.Text.RegularExpressions.Regex.Replace(s,
                    @"in row \d+", "in row n")));
                foreach (var size in new[] { 2, 3 }) Text(Said(size, rows, data)).Should().Be(Text(alone));
            }
        Said(2, () => cat([Rows(59, 2), full([1, 2], 1e6, dtype: float64)], 0), (x, _) => TrainingData.From(x)).Should()
            .Contain(w => w.Contains("in row 59", StringComparison.Ordinal));
        Said(2, () => cat([Rows(60, 1), ones([60, 1], dtype: float64)], 1), (x, _) => TrainingData.From(x), standardize: false).Should()
            .Contain(w => w.Contains("column 1 is 1 in all rows", StringComparison.OrdinalIgnoreCase));
        // an inverse that is lost: each process tries it on rows of its own
        Said(2, () => cat([Rows(59, 2), full([1, 2], 1e30, dtype: float64)], 0), (x, _) => TrainingData.From(x)).Should()
            .ContainSingle(w => w.Contains("is not invertible", StringComparison.Ordinal));
    }

    [Fact]
    public void Weights_that_one_process_trains_and_another_does_not_are_refused()
    {
        var (_, faults, aborted) = FitAll(2, once, model: e =>
        {
            var flow = Small();
            if (e.Rank == 1) foreach (var weight in flow.parameters().Take(2)) weight.requires_grad = false;
            return flow;
        });
        aborted.Should().OnlyContain(a => a == null);
        faults[1]!.Message.Should().Contain("another choice of weights that are trained than process 0");
    }

    [Fact]
    public void Two_trainings_at_once_by_one_exchange_are_refused()
    {
        var (_, faults, _) = FitAll(2, once, set: (exchange, trainer) => trainer.AfterBackward = _ =>
        {
            using var flow = Small();
            using var other = new Trainer(flow, once) { Exchange = exchange };
            other.Fit(Part(exchange));
        });
        faults.Should().OnlyContain(f => f is InvalidOperationException || f is ThreadExchange.BrokenException);
        faults.Should().Contain(f => f!.Message.Contains("Another training of this process uses the same Exchange"));
        // and after it the exchange is free
        FitAll(2, once, set: (exchange, trainer) =>
        {
            using var flow = Small();
            using var before = new Trainer(flow, once) { Exchange = exchange };
            before.Fit(Part(exchange));
        }).Faults.Should().OnlyContain(f => f == null);
    }

    // processors of several kinds, or a kernel that is off on one: what runs as one there must not change what is summed together
    [Theory, MemberData(nameof(Cases))]
    public void Parts_of_gradients_do_not_depend_on_what_runs_as_one(string name)
    {
        string[] Calls(long buckets)
        {
            string[] all = [];
            ThreadExchange.Run(2, exchange =>
            {
                using var scope = NewDisposeScope();
                using var model = Moved(Of(name), float32);
                var (x, context, weights) = Of(name).Data();
                Train(model, TrainingData.From(x, context, weights).Shard(exchange), options with { MaxSteps = 2 }, exchange,
                    buckets: buckets);
                if (exchange.Rank == 0) all = [.. exchange.Calls.Where(c => c.StartsWith("begin", StringComparison.Ordinal))];
                return true;
            });
            return all;
        }
        foreach (var buckets in new[] { 1L, 100, SmallBuckets, 3000 })
        {
            var fused = Calls(buckets);
            using (KernelSwitch.AllOff()) Calls(buckets).Should().Equal(fused, $"parts of {buckets} bytes");
        }
    }

    // as a processor of another kind would, each second time
    private sealed class Rough(ThreadExchange exchange, double by) : IGradientExchange
    {
        private int calls;

        public int Rank => exchange.Rank;

        public int Size => exchange.Size;

        public void Sum(Tensor bucket)
        {
            exchange.Sum(bucket);
            using var _ = no_grad();
            if (Rank == 1 && bucket.numel() > 100 && ++calls % 2 == 0) bucket.mul_(1 + by);
        }

        public void Broadcast(Tensor values, int root) => exchange.Broadcast(values, root);

        public void Barrier() => exchange.Barrier();

        public void Abort(string reason) => exchange.Abort(reason);
    }

    [Fact]
    public void Last_digits_that_processes_round_in_different_ways_are_those_of_process_0_and_more_is_a_fault()
    {
        (Exception?[] Faults, TrainingResult[] Results, double[][] Weights) With(double by)
        {
            var weights = new double[2][];
            var (results, faults) = ThreadExchange.RunAll(2, exchange =>
            {
                using var scope = NewDisposeScope();
                using var flow = Moved(Of("vectors with contexts and weights, batch normalization"), float32);
                using var trainer = new Trainer(flow, options) { Exchange = new Rough(exchange, by) };
                var (x, context, own) = cases[1].Data();
                var result = trainer.Fit(TrainingData.From(x, context, own).Shard(exchange));
                weights[exchange.Rank] = [.. flow.state_dict().SelectMany(t => t.Value.to(float64).reshape(-1).data<double>().ToArray())];
                return result;
            });
            return (faults, results, weights);
        }
        const string Tells = "round in different ways";
        var (faults, results, weights) = With(1e-6);
        faults.Should().OnlyContain(f => f == null);
        weights[1].Should().Equal(weights[0]);
        results[0].Warnings.Should().ContainSingle(w => w.Contains(Tells, StringComparison.Ordinal));
        With(0).Results[0].Warnings.Should().NotContain(w => w.Contains(Tells, StringComparison.Ordinal));
        With(0.5).Faults.Should().OnlyContain(f => f is InvalidOperationException
            && f.Message.Contains("of process 1 is not that of process 0"));
    }
}
