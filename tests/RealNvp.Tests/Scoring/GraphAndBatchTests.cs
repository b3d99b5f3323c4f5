using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Scoring;

/// <summary>Who asks for numbers gets numbers: no graph, and memory for the rows alone.</summary>
public class GraphAndBatchTests
{
    public static TheoryData<string> Presets => PresetTable.Names;

    // one of each kind of layer
    public static TheoryData<string> Some =>
        ["Toy2D", "Tabular, context", "Image, odd last scale, context, additive", "NICE, Tabular", "Spline, Tabular", "MAF, Tabular",
            "MAF, mixture, plain blocks", "IAF, Tabular", "Glow, CelebAHq256x256",
            "Glow, continuous, context, plain matrices, fixed priors"];

    [Theory, MemberData(nameof(Some))]
    public void A_graph_is_kept_only_for_who_differentiates_by_what_is_passed_or_for_a_loss(string name) => KeepsGraphs(name);

    [SlowTheory, MemberData(nameof(Presets))]
    public void That_holds_for_every_preset(string name) => KeepsGraphs(name);

    [Theory, MemberData(nameof(Some))]
    public void Batches_inside_of_a_call_change_neither_results_nor_noise(string name) => BatchesChangeNothing(name);

    [SlowTheory, MemberData(nameof(Presets))]
    public void Nor_do_they_for_any_preset(string name) => BatchesChangeNothing(name);

    private static void KeepsGraphs(string name)
    {
        using var scope = NewDisposeScope();
        var options = PresetTable.All[name];
        using var model = PresetTable.Create(name);
        var (x, context) = (PresetTable.Examples(options, 2), PresetTable.Context(options, 2));
        var z = model.Encode(x, context, seed: 1);
        foreach (var training in new[] { true, false })
        {
            model.train(training);
            foreach (var result in new[] { model.LogProb(x, context), model.BitsPerDim(x, context), model.Encode(x, context),
                model.Decode(z, context), model.Sample(2, context) })
                result.requires_grad.Should().BeFalse("a new flow is in training mode, and it is numbers that were asked for");
        }
        using (var distribution = new FlowDistribution(model, context))
            distribution.log_prob(x).requires_grad.Should().BeTrue("that is torch's convention");
        model.NegativeLogLikelihood(x, context).requires_grad.Should().BeTrue();
        if (options.Levels == 0)
        {
            model.RSampleAndLogProb(2, context).Samples.requires_grad.Should().BeTrue();
            using var distribution = new FlowDistribution(model, context);
            distribution.rsample(2).requires_grad.Should().BeTrue();
        }
        var leaf = x.clone().requires_grad_();
        var logProb = model.LogProb(leaf, context, seed: 1);
        Same(logProb.detach(), model.LogProb(x, context, seed: 1));
        logProb.sum().backward();
        leaf.grad!.abs().sum().item<double>().Should().BePositive();
        model.parameters().Any(p => p.grad is not null).Should().BeTrue("the weights are in the graph then too");
        model.Encode(leaf, context, seed: 1).requires_grad.Should().BeTrue();
        model.BitsPerDim(leaf, context, seed: 1).requires_grad.Should().BeTrue();
        model.Decode(z.clone().requires_grad_(), context).requires_grad.Should().BeTrue();
        using (no_grad()) model.LogProb(leaf, context).requires_grad.Should().BeFalse();
        if (context is null) return;
        var condition = context.clone().requires_grad_();
        foreach (var result in new[] { model.LogProb(x, condition, seed: 1), model.Encode(x, condition, seed: 1),
                model.Decode(z, condition) })
            result.requires_grad.Should().BeTrue();
    }

    private static void BatchesChangeNothing(string name)
    {
        using var scope = NewDisposeScope();
        var options = PresetTable.All[name];
        using var model = PresetTable.Create(name);
        var (x, context) = (PresetTable.Examples(options, 7), PresetTable.Context(options, 7));
        var z = model.Encode(x, context, seed: 3);
        Same(model.LogProb(x, context, seed: 3, batchSize: 3), model.LogProb(x, context, seed: 3));
        Same(model.BitsPerDim(x, context, seed: 3, batchSize: 1), model.BitsPerDim(x, context, seed: 3));
        Same(model.Encode(x, context, seed: 3, batchSize: 2), z);
        Same(model.Decode(z, context, batchSize: 3), model.Decode(z, context));
        var contexts = context?[..2];
        Same(model.Sample(5, contexts, seed: 3, batchSize: 3), model.Sample(5, contexts, seed: 3));
        var (parts, whole) = (model.SampleAndLogProb(5, contexts, 0.5, seed: 3, batchSize: 4), model.SampleAndLogProb(5, contexts, 0.5,
            seed: 3));
        Same(parts.Samples, whole.Samples);
        Same(parts.LogProb, whole.LogProb);
        var mean = model.LogProb(x, context, seed: 3).mean().item<double>();
        foreach (var size in new[] { 2, 7, 256 })
            model.Evaluate(x, context, size, seed: 3).MeanLogProb.Should().BeApproximately(mean, 1e-9 * Math.Max(1, Math.Abs(mean)));
        model.LogProb(x[..0], context?[..0], batchSize: 3).shape.Should().Equal(0);
    }

    private static void Same(Tensor found, Tensor expected)
    {
        found.shape.Should().Equal(expected.shape);
        found.sub(expected).abs().max().item<double>().Should().BeLessThan(1e-9 * Math.Max(1, expected.abs().max().item<double>()));
    }

    [Fact]
    public void With_a_graph_all_rows_are_computed_at_once()
    {
        using var scope = NewDisposeScope();
        using var flow = Inference.Flows.Random(4);
        var x = randn(9, 2, float64);
        (byte[], byte[][]) Gradients(int? size)
        {
            foreach (var p in flow.parameters()) p.grad = null;
            var leaf = x.clone().requires_grad_();
            flow.LogProb(leaf, batchSize: size).sum().backward();
            return (leaf.grad!.bytes.ToArray(), [.. flow.parameters().Select(p => p.grad!.bytes.ToArray())]);
        }
        var (atX, atWeights) = Gradients(2);
        var (expectedAtX, expectedAtWeights) = Gradients(null);
        atX.Should().Equal(expectedAtX);
        atWeights.Should().BeEquivalentTo(expectedAtWeights, o => o.WithStrictOrdering());
    }

    [Fact, LeavesNoTensors]
    public void Long_calls_tell_how_far_they_are_and_can_be_stopped()
    {
        using var scope = NewDisposeScope();
        using var flow = Inference.Flows.Random(4);
        var x = randn(7, 2, float64);
        var calls = new Dictionary<string, Action<int?, IProgress<long>?, CancellationToken>>
        {
            ["LogProb"] = (size, progress, token) => flow.LogProb(x, null, null, size, progress, token),
            ["BitsPerDim"] = (size, progress, token) => flow.BitsPerDim(x, null, null, size, progress, token),
            ["Encode"] = (size, progress, token) => flow.Encode(x, null, null, size, progress, token),
            ["Decode"] = (size, progress, token) => flow.Decode(x, null, null, size, progress, token),
            ["Sample"] = (size, progress, token) => flow.Sample(7, null, 1, null, null, size, progress, token),
            ["SampleAndLogProb"] = (size, progress, token) => flow.SampleAndLogProb(7, null, 1, null, null, size, progress, token),
            ["Evaluate"] = (size, progress, token) => flow.Evaluate(x, null, size ?? 256, 0, progress, cancellationToken: token),
        };
        foreach (var (name, call) in calls)
        {
            var heard = new Heard();
            call(3, heard, default);
            heard.Rows.Should().Equal([3, 6, 7], "of {0}", name);
            heard.Rows.Clear();
            call(null, heard, default);
            heard.Rows.Should().Equal([7], "few rows are one pass of {0}", name);
            using var source = new CancellationTokenSource();
            heard.Rows.Clear();
            heard.Then = source.Cancel;
            FluentActions.Invoking(() => call(3, heard, source.Token)).Should().Throw<OperationCanceledException>("of {0}", name);
            heard.Rows.Should().Equal([3]);
            FluentActions.Invoking(() => call(3, null, source.Token)).Should().Throw<OperationCanceledException>();
            FluentActions.Invoking(() => call(0, null, default)).Should().Throw<ArgumentOutOfRangeException>()
                .WithParameterName("batchSize");
            flow.LogProb(x).isfinite().all().item<bool>().Should().BeTrue("the flow is as before");
        }
    }

    [SlowFact]
    public void A_million_rows_cost_the_rows_and_little_more()
    {
        using var scope = NewDisposeScope();
        const long rows = 1_000_000, mebibyte = 1 << 20;
        using var model = new RealNvpModel(RealNvpOptions.Tabular(10) with { Layers = 2, Hidden = 32 }, seed: 0);
        var x = randn(rows, 10);
        model.LogProb(x[..100_000]).Dispose();
        foreach (var (name, limit, call) in new (string, long, Action)[] { ("LogProb", 150, () => model.LogProb(x).Dispose()),
            ("Encode", 200, () => model.Encode(x).Dispose()), ("Decode", 200, () => model.Decode(x).Dispose()),
            ("Sample", 300, () => model.Sample(rows, seed: 1).Dispose()) })
            (ResidentMemory.PeakGrowth(call) / mebibyte).Should().BeLessThan(limit, "of {0}", name);
    }

    private sealed class Heard : IProgress<long>
    {
        public List<long> Rows { get; } = [];

        public Action? Then { get; set; }

        public void Report(long value)
        {
            Rows.Add(value);
            Then?.Invoke();
        }
    }
}
