using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Scoring;

/// <summary>Who drops log-determinants says so to the layers, which then need not compute them.</summary>
public class ValuesOnlyTests
{
    public static TheoryData<string> Presets => [.. PresetTable.All.Keys];

    [Fact]
    public void Entry_points_that_drop_log_determinants_do_not_ask_for_them_and_all_others_do()
    {
        var layer = new Listener();
        using var flow = new Flow([2], new Chain(layer, new InvertedLayer(new Listener())));
        using var x = zeros(3, 2);
        void Asks(bool wanted, Action call, [System.Runtime.CompilerServices.CallerArgumentExpression(nameof(call))] string? what = null)
        {
            layer.Heard = null;
            using (NewDisposeScope()) call();
            layer.Heard.Should().Be(wanted, what);
        }

        using var distribution = new FlowDistribution(flow);
        Asks(false, () => flow.Sample(3));
        Asks(false, () => flow.Encode(x));
        Asks(false, () => flow.Decode(x));
        Asks(false, () => distribution.sample(3));
        Asks(false, () => distribution.rsample(3));
        Asks(true, () => flow.LogProb(x));
        Asks(true, () => flow.BitsPerDim(x));
        Asks(true, () => flow.SampleAndLogProb(3));
        Asks(true, () => flow.RSampleAndLogProb(3));
        Asks(true, () => flow.NegativeLogLikelihood(x));
        Asks(true, () => distribution.log_prob(x));
        Asks(true, () => layer.Forward(x));
        Asks(true, () => layer.Inverse(x));
    }

    [Fact]
    public void A_residual_layer_computes_no_log_determinant_that_nobody_wants()
    {
        using var network = new LipschitzMlp(3, 3, 8, 1, zero: false);
        using var layer = new ResidualLayer([3], network, new ResidualLogDet { ExactUpTo = 1 });
        using var flow = new Flow([3], layer);
        using var x = randn(5, 3);
        // an estimate would draw its probes from the generator of torch
        manual_seed(7);
        using var drawn = rand(4);
        manual_seed(7);
        using (flow.Encode(x))
        using (flow.Decode(x))
        using (var after = rand(4))
            after.data<float>().Should().Equal(drawn.data<float>());
    }

    [Theory, MemberData(nameof(Presets))]
    public void Samples_and_latents_are_those_of_the_pass_with_log_determinants(string name)
    {
        using var scope = NewDisposeScope();
        using var flow = PresetTable.Create(name);
        var context = PresetTable.Context(PresetTable.All[name], 2);
        var alone = flow.Sample(4, context, seed: 5);
        var (both, _) = flow.SampleAndLogProb(4, context, seed: 5);
        var apart = alone.sub(both).abs().max().to(float64).item<double>();
        // a solver chooses other steps where the log-determinant has no part in them
        var most = !flow.Likelihood.IsNumerical ? 0 : flow.Bijection.Dequantizes ? 1
            : 1e-3 * (1 + both.abs().max().to(float64).item<double>());
        apart.Should().BeLessThanOrEqualTo(most);
    }

    private sealed class Listener : Bijection
    {
        public Listener() : base(nameof(Listener), [2]) => RegisterComponents();

        public bool? Heard { get; set; }

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) => Hear(x, pass);

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => Hear(z, pass);

        private (Tensor, Tensor?) Hear(Tensor x, Pass pass)
        {
            Heard = pass.WantsLogDet;
            return (x.clone(), null);
        }
    }
}
