using RealNvp.Internal;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Bijections;

[LeavesNoTensors]
public class MaskedNetworkTests
{
    private static readonly long[] Natural = [0, 1, 2, 3];

    public static TheoryData<string> Transformers => ["affine", "spline", "mixture"];

    [Theory, MemberData(nameof(Transformers))]
    public void A_network_of_the_users_with_the_weights_of_a_Made_gives_what_the_Made_gives(string name)
    {
        using var scope = NewDisposeScope();
        MadeOptions options = new() { Hidden = 16, Order = [2, 0, 3, 1], ContextSize = 2 };
        using var expected = new AutoregressiveLayer([4], Transformer(name), size => new Made(size.Inputs, size.ParametersPerElement,
            options));
        using var layer = new AutoregressiveLayer([4], Transformer(name),
            size => new Around(new Made(size.Inputs, size.ParametersPerElement, options)), options.Order);
        using (no_grad())
            foreach (var (from, to) in expected.Conditioner.parameters().Zip(layer.Conditioner.parameters()))
                to.copy_(from.normal_(0, 0.3));
        expected.to(float64);
        layer.to(float64);
        var (x, context) = (randn(6, 4, dtype: float64), randn(6, 2, dtype: float64));
        foreach (var inverse in new[] { false, true })
        {
            var (a, b) = inverse ? (expected.Inverse(x, context), layer.Inverse(x, context))
                : (expected.Forward(x, context), layer.Forward(x, context));
            b.Value.sub(a.Value).abs().max().item<double>().Should().BeLessThan(1e-10);
            b.LogDet.sub(a.LogDet).abs().max().item<double>().Should().BeLessThan(1e-10);
        }
        layer.state_dict().Keys.Where(k => !k.StartsWith("transformer.")).Should()
            .NotBeEmpty().And.OnlyContain(k => k.StartsWith("conditioner."));
        expected.state_dict().Keys.Where(k => !k.StartsWith("transformer.")).Should()
            .NotBeEmpty().And.OnlyContain(k => k.StartsWith("made."));
    }

    [Fact]
    public void A_network_that_sees_too_much_is_refused_with_the_output_and_the_input()
    {
        Refused(size => nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 8)), null,
            "The network of AutoregressiveLayer (Sequential) is not autoregressive: the parameters of feature 0 (position 0 of the " +
            "order; outputs 0 + 4·k for k = 0 to 1) depend on feature 0 (position 0 of the order)*order: [...]*");
        // unit 3 sees features 0 to 2, and gives a parameter of feature 2
        Refused(size => nn.Sequential(MaskedNetworks.First(size, Natural, 9), nn.Tanh(), MaskedNetworks.Last(size, Natural, 9,
            (output, unit) => output == 6 && unit == 3)), null, "*of feature 2 (position 2*depend on feature 2 (position 2*");
        Refused(size => nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8)), null, "*not autoregressive*");
    }

    [Fact]
    public void A_last_layer_that_starts_at_zero_hides_nothing_and_stays_as_it_is()
    {
        using var scope = NewDisposeScope();
        var last = nn.Linear(8, 8);
        using (no_grad()) foreach (var parameter in last.parameters()) parameter.zero_();
        using var network = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), last);
        using var sizes = new Held(4);
        var (before, state) = (network.parameters().Select(p => p.clone()).ToArray(), random.get_rng_state());
        FluentActions.Invoking(() => OrderCheck.Require(network, sizes.Sizes, [0, 1, 2, 3], "Layer", "network")).Should()
            .Throw<ArgumentException>().WithMessage("*feature 0*depend on feature 0*all zeros*");
        network.parameters().Zip(before).Should().OnlyContain(p => p.First.eq(p.Second).all().item<bool>());
        random.get_rng_state().eq(state).all().item<bool>().Should().BeTrue();
        network.modules().Should().OnlyContain(m => m.training);
        // one that keeps to the order passes with such a layer, and begins as the identity
        using var layer = new AutoregressiveLayer([4], new AffineTransformer([1]), size =>
        {
            var masked = MaskedNetworks.Last(size, Natural, 9);
            using (no_grad()) foreach (var parameter in masked.parameters()) parameter.zero_();
            return nn.Sequential(MaskedNetworks.First(size, Natural, 9), nn.Tanh(), nn.Dropout(0.5), masked);
        });
        var x = randn(3, 4);
        layer.Forward(x).Value.eq(x).all().item<bool>().Should().BeTrue();
    }

    [Fact]
    public void The_order_is_that_of_the_masks()
    {
        long[] order = [2, 0, 3, 1];
        using (new AutoregressiveLayer([4], new AffineTransformer([1]), size => MaskedNetworks.Modules(size, order), order)) { }
        Refused(size => MaskedNetworks.Modules(size, order), null, "*of feature 0 (position 0*depend on feature 2 (position 2*");
        Refused(size => MaskedNetworks.Modules(size, Natural), order, "*of feature 2 (position 0*depend on feature 0 (position 1*");
        Refused(size => MaskedNetworks.Modules(size, Natural), [0, 1, 1, 2], "*each of 0 to 3 once*");
        Refused(size => MaskedNetworks.Modules(size, Natural), [0], "*4 numbers*got 1*");
    }

    [Fact]
    public void Every_pair_is_seen_in_parts_too()
    {
        using var scope = NewDisposeScope();
        using var sizes = new Held(5);
        long[] order = [4, 2, 0, 1, 3], positions = [2, 3, 1, 4, 0];
        foreach (var elements in new[] { 1L, 20L, 1000L })
        {
            using (var good = MaskedNetworks.Modules(sizes.Sizes, order))
                OrderCheck.Require(good, sizes.Sizes, positions, "Layer", "network", elements);
            for (var output = 0; output < 5; output++)
                for (var input = output; input < 5; input++)
                {
                    using var bad = new MaskedLinear(10, 5, (o, i) => positions[o % 5] > positions[i]
                        || (o == 5 + order[output] && i == order[input]));
                    FluentActions.Invoking(() => OrderCheck.Require(bad, sizes.Sizes, positions, "Layer", "network", elements)).Should()
                        .Throw<ArgumentException>()
                        .WithMessage($"*of feature {order[output]} (position {output}*depend on feature {order[input]} (position {input}*");
                }
        }
    }

    [Fact]
    public void Sizes_context_and_a_Made_are_taken_as_elsewhere()
    {
        Refused(size => nn.Linear(4, 7), null, "*maps (2, 4) to (2, 7)*must map (N, 4) to (N, 8)*");
        Conditioner MakeMade(ConditionerSizes size) =>
            new Made(size.Inputs, size.ParametersPerElement, new() { Hidden = 8, Order = [1, 0] });
        using (var layer = new AutoregressiveLayer([2], new AffineTransformer([1]), MakeMade))
            layer.state_dict().Keys.Should().Contain("made.first.weight");
        using var transformer = new AffineTransformer([1]);
        FluentActions.Invoking(() => new AutoregressiveLayer([2], transformer, MakeMade, [0, 1])).Should().Throw<ArgumentException>()
            .WithMessage("*order of its own, [1, 0]*asked for [0, 1]*");
        using var conditional = new AutoregressiveLayer([3], new AffineTransformer([1]), size => new MaskedConditioner(size, [0, 1, 2]),
            contextSize: 2);
        conditional.ContextSize.Should().Be(2);
    }

    private static ScalarTransformer Transformer(string name) => name switch
    {
        "affine" => new AffineTransformer([1]),
        "spline" => new SplineTransformer(4, 3),
        _ => new MixtureCdfTransformer(3),
    };

    private static void Refused(Func<ConditionerSizes, nn.Module<Tensor, Tensor>> network, long[]? order, string message)
    {
        using var transformer = new AffineTransformer([1]);
        FluentActions.Invoking(() => new AutoregressiveLayer([4], transformer, network, order)).Should().Throw<ArgumentException>()
            .WithMessage(message);
    }

    private sealed class Held(long features) : IDisposable
    {
        private readonly AffineTransformer transformer = new([1]);

        public ConditionerSizes Sizes => AutoregressiveLayer.SizesFor([features], transformer);

        public void Dispose() => transformer.Dispose();
    }

    private sealed class Around : Conditioner
    {
        private readonly Made inner;

        public Around(Made inner) : base(nameof(Around), inner.ContextSize)
        {
            this.inner = inner;
            RegisterComponents();
        }

        public override Tensor forward(Tensor input, Tensor? context) => inner.call(input, context);
    }
}
