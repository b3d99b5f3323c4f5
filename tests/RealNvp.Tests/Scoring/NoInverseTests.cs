using RealNvp.Internal;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Scoring;

/// <summary>Layers whose inverse has no result, behind another one: whatever is called says which layer it was.</summary>
public sealed class NoInverseTests
{
    private static readonly Dictionary<string, Func<Bijection>> layers = new()
    {
        ["mixture, autoregressive"] = () => new AutoregressiveLayer([4], new MixtureCdfTransformer(2),
            size => new Made(size.Inputs, size.ParametersPerElement, new MadeOptions { Hidden = 8, Blocks = 1 })),
        ["mixture, coupling"] = () => new CouplingLayer([4], Mask.Alternating(4), new MixtureCdfTransformer(2),
            size => new ResidualMlp(size.Inputs, size.Outputs, 8, 1)),
        ["planar"] = () => new PlanarLayer([4]),
        ["Sylvester"] = () => new SylvesterLayer([4], 3),
        ["linear, plain"] = () => Singular(new InvertibleLinearLayer([4], LinearForm.Plain)),
        ["a layer of ours that wraps one"] = () =>
            new SubsetLayer([4], [0, 2, 3], Singular(new InvertibleLinearLayer([3], LinearForm.Plain))),
        ["periodic convolution"] = () => Singular(new PeriodicConv2d([1, 3, 3])),
    };

    public static TheoryData<string> Layers => [.. layers.Keys];

    [Theory, MemberData(nameof(Layers)), LeavesNoTensors]
    public void Every_call_that_inverts_a_layer_names_it_if_it_has_no_inverse(string name)
    {
        using var scope = NewDisposeScope();
        // forward inverts it, as in an inverse autoregressive flow; and the other way round
        foreach (var inverted in new[] { true, false })
        {
            using var flow = Behind(layers[name](), inverted);
            flow.to(float64);
            // sums of products cannot hold it: what a search gets is NaN. Float32 is searched in float64, which can
            var x = full(InputOf(flow, 3), 1.7e308, float64);
            if (inverted)
            {
                Named(() => flow.LogProb(x));
                Named(() => flow.LogProb(x.alias().requires_grad_()));
                Named(() => flow.BitsPerDim(x));
                Named(() => flow.Encode(x));
                Named(() => flow.Evaluate(x));
                Named(() => flow.NegativeLogLikelihood(x));
                NamedByTraining(flow, x, reversible: false);
            }
            else
            {
                Named(() => flow.Decode(x));
                Named(() => flow.Decode(x.alias().requires_grad_()));
                Named(() => flow.Sample(2, temperature: 1e308));
                if (name.StartsWith("linear", StringComparison.Ordinal)) Named(() => flow.RSampleAndLogProb(2));
            }
        }
    }

    // what a graph holds that never gets its backward pass goes with the graph, which a finalizer frees
    [Theory, MemberData(nameof(Layers))]
    public void Reversible_training_names_it_too(string name)
    {
        using var scope = NewDisposeScope();
        using var flow = Behind(layers[name](), inverted: true);
        flow.to(float64);
        NamedByTraining(flow, full(InputOf(flow, 3), 1.7e308, float64), reversible: true);
    }

    [Fact, LeavesNoTensors]
    public void A_layer_without_inverse_in_the_backward_pass_of_a_reversible_training_is_named()
    {
        using var scope = NewDisposeScope();
        using var flow = new Flow([4], new Chain(new DiagonalScaling([4]), new OneWay(), new DiagonalScaling([4])));
        using var trainer = new Trainer(flow, new TrainingOptions { Epochs = 1, ValidationFraction = 0, Reversible = true });
        Named(() => trainer.Fit(TrainingData.From(randn(8, 4)))).Message.Should()
            .Contain("no way back").And.Contain("weights are those before the step");
    }

    [Fact, LeavesNoTensors]
    public void A_training_that_ends_so_keeps_weights_and_statistics()
    {
        using var scope = NewDisposeScope();
        using var flow = new Flow([4], new Chain(new FlowBatchNorm([4]), Filled(new InvertedLayer(layers["mixture, autoregressive"]()))));
        using var trainer = new Trainer(flow, new TrainingOptions { Epochs = 1, BatchSize = 8, ValidationFraction = 0 });
        var good = randn(8, 4);
        Dictionary<string, Tensor>? before = null;
        IEnumerable<Tensor> Loader()
        {
            yield return good.alias();
            before = flow.state_dict().ToDictionary(e => e.Key, e => e.Value.clone());
            // the batch norm divides by their spread, and the next layer sees NaN
            yield return full([8, 4], 3e38f);
        }
        var error = FluentActions.Invoking(() => trainer.Fit(TrainingData.FromBatches(Loader(), 2))).Should()
            .Throw<NonFiniteException>().Which;
        error.Message.Should().Contain("step 2");
        foreach (var (key, value) in flow.state_dict())
            value.equal(before![key]).all().item<bool>().Should().BeTrue("{0} is as before the step", key);
    }

    private static NonFiniteException Named(Action act)
    {
        var error = act.Should().Throw<NonFiniteException>().Which;
        error.Layer.Should().Contain("layers.1");
        error.Message.Should().Contain("has no result");
        return error;
    }

    private static void NamedByTraining(Flow flow, Tensor x, bool reversible)
    {
        using var trainer = new Trainer(flow, new TrainingOptions { Epochs = 1, ValidationFraction = 0, Reversible = reversible });
        Named(() => trainer.Fit(TrainingData.From(x))).Message.Should()
            .Contain("epoch 1, step 1").And.Contain("weights are those before the step");
    }

    private static Flow Behind(Bijection layer, bool inverted)
    {
        EventShape shape = layer is PeriodicConv2d ? [1, 3, 3] : [4];
        Filled(layer);
        return new Flow(shape, new Chain(new DiagonalScaling(shape), inverted ? new InvertedLayer(layer) : layer));
    }

    private static long[] InputOf(Flow flow, long count) => flow.InputShape.WithBatch(count);

    private static Bijection Filled(Bijection layer)
    {
        using var generator = new Generator(3);
        using var _ = no_grad();
        foreach (var p in layer.parameters())
            if (p.ne(0).any().item<bool>() || layer is not (InvertibleLinearLayer or PeriodicConv2d or SubsetLayer))
                p.copy_(randn(p.shape, generator: generator).mul(4));
        return layer;
    }

    private static T Singular<T>(T layer) where T : Bijection
    {
        using var _ = no_grad();
        foreach (var p in layer.parameters()) p.zero_();
        return layer;
    }

    private sealed class OneWay() : Bijection(nameof(OneWay))
    {
        public override bool IsRepeatable => true;

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) =>
            (x.mul(2), full([x.shape[0]], 4 * Math.Log(2)));

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) =>
            throw new NoInverseException("OneWay has no way back.");
    }
}
