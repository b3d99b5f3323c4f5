using System.Collections.Concurrent;
using RealNvp.Tests.Anomalies;
using RealNvp.Tests.Laws;
using RealNvp.Tests.Tables;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Scoring;

/// <summary>A flow that is disposed while others compute with it: their calls end with their results, and the weights go after the last
/// of them.</summary>
public class EndOfFlowTests
{
    private static readonly TimeSpan soon = TimeSpan.FromSeconds(20);
    private static readonly double[,] rows = { { 0.5, 1 }, { -1, 2 }, { 0, 0.25 } };

    // everything that computes with weights, or reads them
    private static readonly Dictionary<string, Func<Flow, double[,], Action, double[]>> calls = new()
    {
        ["log p"] = (flow, rows, _) => Numbers(flow.LogProb(tensor(rows, ScalarType.Float32))),
        ["log p of arrays"] = (flow, rows, _) => flow.LogProb(rows),
        ["log p into memory"] = (flow, rows, _) => Into(rows.GetLength(0), room => flow.LogProbInto(rows, room)),
        ["bits per dimension"] = (flow, rows, _) => flow.BitsPerDim(rows),
        ["latents"] = (flow, rows, _) => [.. flow.Encode(rows).Cast<double>()],
        ["latents into memory"] = (flow, rows, _) => Into(rows.Length, room => flow.EncodeInto(rows, room)),
        ["examples"] = (flow, rows, _) => [.. flow.Decode(rows).Cast<double>()],
        ["examples into memory"] = (flow, rows, _) => Into(rows.Length, room => flow.DecodeInto(rows, room)),
        ["samples"] = (flow, rows, _) => Numbers(flow.Sample(rows.GetLength(0), seed: 1)),
        ["samples as an array"] = (flow, rows, _) => [.. flow.SampleArray(rows.GetLength(0), seed: 1).Cast<double>()],
        ["samples into memory"] = (flow, rows, _) => Into(rows.Length, room => flow.SampleInto(rows.GetLength(0), room, seed: 1)),
        ["samples with log p"] = (flow, rows, _) => Numbers(flow.SampleAndLogProb(rows.GetLength(0), seed: 1).LogProb),
        ["an evaluation"] = (flow, rows, _) => [flow.Evaluate(rows).MeanLogProb],
        ["a training loss"] = (flow, rows, _) => Numbers(flow.NegativeLogLikelihood(tensor(rows, ScalarType.Float32))),
        ["statistics of layers"] = (flow, rows, _) => [flow.MeasureLayers(tensor(rows, ScalarType.Float32)).Count],
        ["a file"] = (flow, _, inside) =>
        {
            using var stream = new Telling(inside);
            flow.SaveWeights(stream);
            return [stream.Length];
        },
    };

    public static TheoryData<string> Calls => [.. calls.Keys];

    [Theory, MemberData(nameof(Calls))]
    public void A_call_that_runs_while_the_flow_is_disposed_has_its_result_and_the_last_one_frees_the_weights(string name)
    {
        using var scope = NewDisposeScope();
        using var network = new Watched();
        var flow = new Flow([2], new AffineCouplingLayer([2], Mask.Alternating(2), network));
        flow.eval();
        var expected = calls[name](flow, rows, () => { });
        using ManualResetEventSlim entered = new(), go = new();
        network.Inside = () =>
        {
            entered.Set();
            go.Wait(soon);
        };
        double[]? got = null;
        var thread = Started(() => got = calls[name](flow, rows, network.Inside));
        entered.Wait(soon).Should().BeTrue();
        flow.Dispose();
        network.IsFreed.Should().BeFalse("somebody computes with it");
        flow.WaitForCalls(TimeSpan.Zero).Should().BeFalse();
        FluentActions.Invoking(() => calls[name](flow, rows, () => { })).Should().Throw<ObjectDisposedException>()
            .WithMessage("*has been disposed. Keep it alive*");
        go.Set();
        flow.WaitForCalls(soon).Should().BeTrue();
        network.IsFreed.Should().BeTrue("the call has ended");
        thread.Join(soon).Should().BeTrue();
        got.Should().Equal(expected);
        flow.Dispose();
        flow.WaitForCalls(Timeout.InfiniteTimeSpan).Should().BeTrue();
    }

    [Fact]
    public void A_flow_that_is_disposed_inside_of_its_own_call_or_has_a_part_in_common_with_one_that_runs_lives_until_that_has_ended()
    {
        using var scope = NewDisposeScope();
        using var network = new Watched();
        var layer = new AffineCouplingLayer([2], Mask.Alternating(2), network);
        var flow = new Flow([2], layer);
        flow.eval();
        var expected = flow.LogProb(rows);
        flow.LogProb(rows, batchSize: 1, progress: new Now(_ => flow.Dispose())).Should().Equal(expected);
        network.IsFreed.Should().BeTrue();

        using var other = new Watched();
        layer = new AffineCouplingLayer([2], Mask.Alternating(2), other);
        var (one, two) = (new Flow([2], layer), new Flow([2], layer));
        one.LogProb(rows, batchSize: 1, progress: new Now(_ => two.Dispose())).Should().Equal(expected);
        other.IsFreed.Should().BeTrue("the second flow owned it too");
        one.Dispose();
        Assert.Throws<ArgumentOutOfRangeException>(() => one.WaitForCalls(TimeSpan.FromSeconds(-2))).Message.Should()
            .Contain("zero or more");
    }

    [Fact]
    public void A_training_whose_flow_is_disposed_ends_with_a_clear_error()
    {
        using var scope = NewDisposeScope();
        using var network = new Watched();
        var flow = new Flow([2], new AffineCouplingLayer([2], Mask.Alternating(2), network));
        using var trainer = new Trainer(flow, new TrainingOptions { Epochs = 3, BatchSize = 2 });
        var steps = 0;
        FluentActions.Invoking(() => trainer.Fit(TrainingData.From(randn(20, 2)), progress: new Now<TrainingProgress>(_ =>
        {
            steps++;
            Started(flow.Dispose).Join();
            network.IsFreed.Should().BeFalse("it is trained");
        }))).Should().Throw<ObjectDisposedException>().WithMessage("*has been disposed*");
        steps.Should().Be(1);
        network.IsFreed.Should().BeTrue();
    }

    // calls that are several calls of a flow: they may end with an error, in the middle
    private static readonly Dictionary<string, Func<(IDisposable Owner, Action<IProgress<long>?> Call)>> longer = new()
    {
        ["a detector"] = () =>
        {
            var detector = AnomalyDetector.Fit(AnomalyCases.Rows3(60, 1), AnomalyCases.Tiny);
            return (detector, progress => detector.Score(AnomalyCases.Rows3(9_000, 2), progress: progress));
        },
        ["a table"] = () =>
        {
            var flow = TableFlow.Fit(MixedTables.Line(60), null, new() { Training = new() { Epochs = 1 }, Hidden = 8 });
            return (flow, progress => flow.Sample(10_000, 1, progress));
        },
    };

    public static TheoryData<string> Longer => [.. longer.Keys];

    [Theory, MemberData(nameof(Longer))]
    public void What_owns_flows_may_be_disposed_while_it_computes(string name)
    {
        var (owner, call) = longer[name]();
        using (owner)
        {
            var disposed = false;
            try
            {
                call(new Now(_ =>
                {
                    if (!disposed) Started(owner.Dispose).Join();
                    disposed = true;
                }));
            }
            catch (ObjectDisposedException e) { e.Message.Should().Contain("has been disposed"); }
            disposed.Should().BeTrue();
            Assert.Throws<ObjectDisposedException>(() => call(null));
        }
    }

    // few rows, and more than are few
    public static TheoryData<string, int> CallsOfRows => new(calls.Keys.SelectMany(name => new[] { 3, 20 }.Select(rows => (name, rows))));

    [Theory, MemberData(nameof(CallsOfRows))]
    public void Threads_that_call_a_flow_of_kernels_while_it_is_disposed_get_right_numbers_or_an_error(string name, int count)
    {
        var rows = new double[count, 2];
        for (var i = 0; i < rows.Length; i++) rows[i / 2, i % 2] = Math.Sin(i);
        var (right, refused) = (0, 0);
        for (var round = 0; round < 5; round++)
        {
            var flow = PresetTable.Create("Toy2D");
            flow.eval();
            var expected = calls[name](flow, rows, () => { });
            using var barrier = new Barrier(4);
            var faults = new ConcurrentQueue<Exception>();
            var threads = Enumerable.Range(0, 3).Select(_ => Started(() =>
            {
                using var scope = NewDisposeScope();
                barrier.SignalAndWait();
                try
                {
                    while (true)
                    {
                        calls[name](flow, rows, () => { }).Should().Equal(expected);
                        Interlocked.Increment(ref right);
                    }
                }
                catch (ObjectDisposedException) { Interlocked.Increment(ref refused); }
                catch (Exception e) { faults.Enqueue(e); }
            })).ToArray();
            barrier.SignalAndWait();
            Thread.Sleep(round % 4);
            flow.Dispose();
            foreach (var thread in threads) thread.Join(soon).Should().BeTrue();
            faults.Should().BeEmpty();
        }
        right.Should().BePositive();
        refused.Should().Be(15);
    }

    private static double[] Numbers(Tensor tensor)
    {
        using (tensor) return tensor.detach().to(float64).flatten().data<double>().ToArray();
    }

    private static double[] Into(int count, Func<double[], int> call)
    {
        var room = new double[count];
        call(room);
        return room;
    }

    private static Thread Started(Action action)
    {
        var thread = new Thread(() => { using var scope = NewDisposeScope(); action(); });
        thread.Start();
        return thread;
    }

    private sealed class Now(Action<long> heard) : IProgress<long>
    {
        public void Report(long value) => heard(value);
    }

    private sealed class Now<T>(Action<T> heard) : IProgress<T>
    {
        public void Report(T value) => heard(value);
    }

    // tells when it is at work
    private sealed class Watched : nn.Module<Tensor, Tensor>
    {
        private readonly TorchSharp.Modules.Linear linear = nn.Linear(1, 2);

        public Watched() : base(nameof(Watched))
        {
            RegisterComponents();
            using (no_grad())
            {
                linear.weight.fill_(0.25);
                linear.bias!.fill_(0.125);
            }
        }

        public Action? Inside { get; set; }

        public bool IsFreed => linear.weight.IsInvalid;

        public override Tensor forward(Tensor input)
        {
            Inside?.Invoke();
            return linear.forward(input);
        }
    }

    private sealed class Telling(Action inside) : MemoryStream
    {
        public override void Write(ReadOnlySpan<byte> buffer)
        {
            inside();
            base.Write(buffer);
        }

        public override void Write(byte[] buffer, int offset, int count)
        {
            inside();
            base.Write(buffer, offset, count);
        }
    }
}
