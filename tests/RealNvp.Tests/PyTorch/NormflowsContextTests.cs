using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.PyTorch;

/// <summary>Flows of normflows with a context, by its formulas.</summary>
[LeavesNoTensors]
public class NormflowsContextTests
{
    private const int Bins = 4, Hidden = 6, Context = 2, Parameters = (3 * Bins) - 1;

    // nets/made.py: the context is added behind the first layer, and gates each block: F.glu of what the block adds
    [Fact]
    public void A_masked_network_adds_the_context_and_gates_its_blocks()
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        manual_seed(1);
        const string net = "flows.0.mprqat.autoregressive_net.";
        var weights = new Dictionary<string, Tensor>();
        void Layer(string at, int inputs, int outputs, Tensor? mask = null)
        {
            weights[at + ".weight"] = randn([outputs, inputs], float64);
            weights[at + ".bias"] = randn([outputs], float64);
            if (mask is not null) weights[at + ".mask"] = mask;
        }
        // two features: the hidden units see the first, the parameters of the second see them
        var first = cat([ones([Hidden, 1], float64), zeros([Hidden, 1], float64)], 1);
        var last = cat([zeros([Parameters, Hidden], float64), ones([Parameters, Hidden], float64)]);
        Layer(net + "initial_layer", 2, Hidden, first);
        Layer(net + "context_layer", Context, Hidden);
        for (var i = 0; i < 2; i++) Layer($"{net}blocks.0.linear_layers.{i}", Hidden, Hidden, ones([Hidden, Hidden], float64));
        Layer(net + "blocks.0.context_layer", Context, Hidden);
        Layer(net + "final_layer", Hidden, 2 * Parameters, last);

        Tensor Linear(string at, Tensor x)
        {
            var weight = weights[net + at + ".weight"];
            if (weights.TryGetValue(net + at + ".mask", out var mask)) weight = weight.mul(mask);
            return x.mm(weight.t()).add(weights[net + at + ".bias"]);
        }
        var (x, context) = (randn([5, 2], float64), randn([5, Context], float64));
        var h = Linear("initial_layer", x).add(Linear("context_layer", context));
        var added = Linear("blocks.0.linear_layers.1", Linear("blocks.0.linear_layers.0", h.relu()).relu());
        h = h.add(added.mul(Linear("blocks.0.context_layer", context).sigmoid()));
        // theirs has all parameters of a feature together, ours all features of a parameter
        var expected = Linear("final_layer", h).reshape(5, 2, Parameters).transpose(1, 2).flatten(1);

        using var imported = new NormflowsImporter { TailBound = 2 }.FromStateDict(weights);
        imported.Flow.ContextSize.Should().Be(Context);
        var layer = ((Chain)imported.Flow.Bijection).Layers.OfType<AutoregressiveLayer>().Single();
        ImporterTests.Close(((Conditioner)layer.Conditioner).forward(x, context), expected, 1e-12);
        var z = imported.Flow.Encode(x, context);
        ImporterTests.Close(imported.Flow.Decode(z, context), x, 1e-10);
        imported.Flow.Decode(z, context.neg()).sub(x).abs().max().item<double>().Should().BeGreaterThan(1e-3, "the context counts");
    }

    // its couplings are those of nflows under other names, with the context
    [Fact]
    public void A_coupling_takes_the_context_as_that_of_nflows_does()
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        manual_seed(2);
        var weights = new Dictionary<string, Tensor>
        {
            ["identity_features"] = tensor(new long[] { 0 }), ["transform_features"] = tensor(new long[] { 1, 2 }),
        };
        void Layer(string at, int inputs, int outputs)
        {
            weights[$"transform_net.{at}.weight"] = randn([outputs, inputs], float64);
            weights[$"transform_net.{at}.bias"] = randn([outputs], float64);
        }
        Layer("initial_layer", 1 + Context, Hidden);
        for (var i = 0; i < 2; i++) Layer($"blocks.0.linear_layers.{i}", Hidden, Hidden);
        Layer("blocks.0.context_layer", Context, Hidden);
        Layer("final_layer", Hidden, 2 * Parameters);
        using var theirs = new NflowsImporter { TailBound = 2 }.FromStateDict(
            weights.ToDictionary(w => "_transform._transforms.0." + w.Key, w => w.Value));
        using var imported = new NormflowsImporter { TailBound = 2 }.FromStateDict(
            weights.ToDictionary(w => "flows.0.prqct." + w.Key, w => w.Value));
        var (x, context) = (randn([5, 3], float64), randn([5, Context], float64));
        ImporterTests.Close(imported.Flow.LogProb(x, context), theirs.Flow.LogProb(x, context), 1e-13);
        imported.Flow.LogProb(x, context.neg()).sub(theirs.Flow.LogProb(x, context)).abs().max().item<double>().Should()
            .BeGreaterThan(1e-3, "the context counts");
    }
}
