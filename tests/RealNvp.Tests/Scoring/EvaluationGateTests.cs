using System.Collections.Concurrent;
using RealNvp.Operations;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Scoring;

/// <summary>"In evaluation mode, whatever the mode of the module is", from any number of threads.</summary>
public partial class EvaluationGateTests
{
    private const int Threads = 4, Rounds = 6;

    // what changes with the mode: batch statistics of ours and of TorchSharp's, dropout, flips, statistics of layers
    public static IReadOnlyDictionary<string, Func<Flow>> Flows { get; } = new Dictionary<string, Func<Flow>>
    {
        ["images"] = () => Random(RealNvpOptions.Digits8x8 with { Shape = [1, 4, 4], Scales = 1, Blocks = 1, Hidden = 4 }),
        ["Glow"] = () => Random(GlowOptions.Digits8x8 with { Shape = [1, 4, 4], Scales = 1, Layers = 2, Hidden = 4 }),
        ["MAF with batch norms"] = () => PresetTable.Create("MAF, Tabular"),
        ["networks of TorchSharp's modules"] = Foreign,
        ["a resampled base"] = () => new Flow([4], new DiagonalScaling([4]), new ResampledNormal([4], hidden: 8)).to(float64),
    };

    public static TheoryData<string> Names => [.. Flows.Keys];

    [Theory, MemberData(nameof(Names))]
    public void In_training_mode_threads_get_the_bits_of_evaluation_and_change_nothing(string name)
    {
        using var scope = NewDisposeScope();
        using var flow = Flows[name]();
        flow.eval();
        var (x, context) = Data(name, flow);
        var expected = Results(flow, x, context);
        flow.train();
        var before = flow.buffers().Select(Bytes).ToArray();
        var wrong = 0;
        InThreads(Threads, _ =>
        {
            for (var round = 0; round < Rounds; round++)
                if (!Results(flow, x, context).SequenceEqual(expected)) Interlocked.Increment(ref wrong);
        });
        wrong.Should().Be(0);
        flow.modules().Prepend(flow).Should().OnlyContain(m => m.training, "the mode is put back");
        flow.buffers().Select(Bytes).Should().BeEquivalentTo(before, o => o.WithStrictOrdering(), "batch statistics are as before");
    }

    [Theory, MemberData(nameof(Names))]
    public void A_training_loss_beside_threads_that_score_is_that_of_a_training_alone(string name)
    {
        using var scope = NewDisposeScope();
        var (x, context) = (default(Tensor), default(Tensor));
        // dropout draws from torch's own generator, which the other threads use too: there, only that all goes well
        (double[] Losses, byte[][] Buffers) Train(bool beside)
        {
            using var inner = NewDisposeScope();
            manual_seed(7);
            using var flow = Flows[name]();
            (x, context) = Data(name, flow);
            flow.train();
            var losses = new double[8];
            using var stop = new CancellationTokenSource();
            void Steps()
            {
                using var own = NewDisposeScope();
                for (var i = 0; i < losses.Length; i++)
                {
                    var loss = flow.NegativeLogLikelihood(x!, context, seed: i);
                    loss.backward();
                    losses[i] = loss.item<double>();
                }
                stop.Cancel();
            }
            InThreads(beside ? 3 : 1, i =>
            {
                if (i == 0) Steps();
                else while (!stop.IsCancellationRequested) Results(flow, x!, context);
            });
            flow.modules().Prepend(flow).Should().OnlyContain(m => m.training);
            return (losses, [.. flow.buffers().Select(Bytes)]);
        }
        var alone = Train(beside: false);
        var together = Train(beside: true);
        if (name == "networks of TorchSharp's modules") return;
        together.Buffers.Should().BeEquivalentTo(alone.Buffers, o => o.WithStrictOrdering(),
            "the statistics are those of the training's batches");
        together.Losses.Should().Equal(alone.Losses);
    }

    [Fact]
    public void Reversible_gradients_are_right_beside_threads_that_score()
    {
        using var scope = NewDisposeScope();
        byte[][] Gradients(bool beside)
        {
            using var inner = NewDisposeScope();
            using var flow = Flows["images"]();
            var (x, _) = Data("images", flow);
            flow.train();
            flow.ReversibleTraining = true;
            using var stop = new CancellationTokenSource();
            InThreads(beside ? 3 : 1, i =>
            {
                if (i > 0)
                {
                    while (!stop.IsCancellationRequested) Results(flow, x, null);
                    return;
                }
                for (var step = 0; step < 4; step++) flow.NegativeLogLikelihood(x, seed: step).backward();
                stop.Cancel();
            });
            RealNvp.Operations.KernelFault.Throw();
            return [.. flow.parameters().Select(p => Bytes(p.grad!))];
        }
        Gradients(beside: true).Should().BeEquivalentTo(Gradients(beside: false), o => o.WithStrictOrdering());
    }

    [Fact]
    public void A_mode_that_is_set_while_others_score_comes_into_force_after_them_and_a_loss_waits()
    {
        using var scope = NewDisposeScope();
        using var network = new Slow();
        using var flow = new Flow([2], new AffineCouplingLayer([2], Mask.Alternating(2), network));
        var x = zeros(3, 2);
        flow.train();
        var scoring = Started(() => flow.LogProb(x).Dispose());
        network.Entered.Wait();
        // like a service whose threads all say eval()
        flow.eval();
        flow.train();
        flow.training.Should().BeFalse("somebody scores");
        var loss = Started(() => flow.NegativeLogLikelihood(x).Dispose());
        loss.Join(60).Should().BeFalse("it waits");
        network.Go.Set();
        scoring.Join();
        loss.Join(10_000).Should().BeTrue();
        network.Modes.Should().Equal(false, true);
        flow.modules().Prepend(flow).Should().OnlyContain(m => m.training);

        network.Go.Reset();
        network.Entered.Reset();
        var again = Started(() => flow.Encode(x).Dispose());
        network.Entered.Wait();
        flow.eval();
        network.Go.Set();
        again.Join();
        flow.modules().Prepend(flow).Should().NotContain(m => m.training, "eval() came into force");
    }

    [Fact]
    public void Calls_inside_of_calls_and_exceptions_leave_the_mode_as_it_was()
    {
        using var scope = NewDisposeScope();
        using var network = new Failing();
        using var flow = new Flow([2], new AffineCouplingLayer([2], Mask.Alternating(2), network));
        flow.train();
        network.Inside = () => flow.BaseDensity.training.Should().BeFalse();
        var x = zeros(3, 2);
        flow.LogProb(x).Dispose();
        var depth = 0;
        network.Inside = () =>
        {
            if (depth++ == 0) flow.Sample(1).Dispose();
            flow.training.Should().BeFalse();
            if (depth == 1) flow.NegativeLogLikelihood(x).Dispose();
        };
        flow.LogProb(x).Dispose();
        // a loss whose network scores
        depth = 0;
        network.Inside = () => { if (depth++ == 0) flow.LogProb(x).Dispose(); };
        flow.NegativeLogLikelihood(x).Dispose();
        flow.training.Should().BeTrue();
        network.Inside = () => throw new InvalidTimeZoneException("no");
        foreach (var call in new Action[] { () => flow.LogProb(x), () => flow.Sample(2), () => flow.Encode(x), () => flow.Decode(x),
            () => flow.RSampleAndLogProb(1), () => flow.Evaluate(x), () => flow.NegativeLogLikelihood(x) })
        {
            call.Should().Throw<Exception>();
            flow.modules().Prepend(flow).Should().OnlyContain(m => m.training);
        }
        network.Inside = null;
        flow.LogProb(x).Dispose();
        Started(() => flow.NegativeLogLikelihood(x).Dispose()).Join(10_000).Should().BeTrue("nobody has kept the gate");
    }

    [Fact]
    public void Parts_that_are_frozen_stay_so_and_parts_that_train_alone_are_evaluated()
    {
        using var scope = NewDisposeScope();
        using var flow = Foreign();
        var parts = flow.modules().ToArray();
        var norm = parts.OfType<TorchSharp.Modules.BatchNorm1d>().First();
        flow.train();
        norm.eval();
        var x = randn(6, 4, float64);
        flow.LogProb(x).Dispose();
        (flow.training, norm.training).Should().Be((true, false));
        flow.eval();
        var expected = Bytes(flow.LogProb(x));
        norm.train();
        var drop = parts.OfType<TorchSharp.Modules.Dropout>().First();
        drop.train();
        Bytes(flow.LogProb(x)).Should().Equal(expected, "the mode of a part does not matter");
        (flow.training, norm.training, drop.training).Should().Be((false, true, true));
    }

    [Fact]
    public void Flows_that_share_a_part_wait_for_each_other()
    {
        using var scope = NewDisposeScope();
        using var network = new Slow();
        var layer = new AffineCouplingLayer([2], Mask.Alternating(2), network);
        using var one = new Flow([2], layer);
        using var other = new Flow([2], layer, new StandardLogistic([2]));
        using var third = new Flow([2], new DiagonalScaling([2]));
        using var all = new Flow([2], new Chain(layer, (DiagonalScaling)third.Bijection));
        foreach (var flow in new[] { one, other, third, all }) flow.train();
        var x = zeros(3, 2);
        var first = Started(() => one.LogProb(x).Dispose());
        network.Entered.Wait();
        // the second finds the shared layer in evaluation, which it does not take for the layer's own mode
        var second = Started(() => other.LogProb(x).Dispose());
        SpinWait.SpinUntil(() => network.Modes.Count == 2, 10_000).Should().BeTrue();
        var loss = Started(() => all.NegativeLogLikelihood(x).Dispose());
        loss.Join(60).Should().BeFalse();
        network.Go.Set();
        foreach (var thread in new[] { first, second, loss }) thread.Join(10_000).Should().BeTrue();
        network.Modes.Should().Equal(false, false, true);
        foreach (var flow in new[] { one, other, third, all }) flow.modules().Prepend(flow).Should().OnlyContain(m => m.training);
    }

    private static FlowModel Random(ModelOptions options)
    {
        manual_seed(1);
        var model = options.NewModel();
        RandomWeights.Draw(model, 2, 0.05);
        model.to(float64);
        return model;
    }

    private static Flow Foreign()
    {
        manual_seed(3);
        nn.Module<Tensor, Tensor> Network() => nn.Sequential(("in", nn.Linear(2, 8)), ("norm", nn.BatchNorm1d(8)), ("act", nn.ReLU()),
            ("drop", nn.Dropout(0.5)), ("out", nn.Linear(8, 4)));
        return new Flow([4], new Chain(new AffineCouplingLayer([4], Mask.FirstHalf(4), Network()),
            new AffineCouplingLayer([4], !Mask.FirstHalf(4), Network()))).to(float64);
    }

    private static (Tensor, Tensor?) Data(string name, Flow flow)
    {
        using var generator = new Generator(11);
        var context = flow.ContextSize > 0 ? randn([6, flow.ContextSize], dtype: float64, generator: generator) : null;
        return (flow.Bijection.AcceptsIntegers ? randint(17, flow.InputShape.WithBatch(6), dtype: float64, generator: generator)
            : randn(flow.InputShape.WithBatch(6), dtype: float64, generator: generator), context);
    }

    private static double[] Results(Flow flow, Tensor x, Tensor? context)
    {
        using var scope = NewDisposeScope();
        var z = flow.Encode(x, context, seed: 1);
        return [.. new[] { flow.LogProb(x, context, seed: 1), z, flow.Decode(z, context), flow.Sample(2, context, seed: 1) }
            .SelectMany(t => t.contiguous().data<double>().ToArray()),
            flow.Evaluate(x, context, batchSize: 4).MeanLogProb];
    }

    private static byte[] Bytes(Tensor tensor) => tensor.detach().contiguous().bytes.ToArray();

    private static Thread Started(Action action)
    {
        var thread = new Thread(() => { using var scope = NewDisposeScope(); action(); });
        thread.Start();
        return thread;
    }

    private static void InThreads(int count, Action<int> action)
    {
        var errors = new ConcurrentQueue<Exception>();
        using var barrier = new Barrier(count);
        var threads = Enumerable.Range(0, count).Select(i => Started(() =>
        {
            barrier.SignalAndWait();
            try { action(i); }
            catch (Exception e) { errors.Enqueue(e); }
        })).ToArray();
        foreach (var thread in threads) thread.Join();
        errors.Should().BeEmpty();
    }
}
