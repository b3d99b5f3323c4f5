using RealNvp.Operations;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training;

/// <summary>What reversible training does where it cannot do as ordinary training does.</summary>
public partial class ReversibleTests
{
    [Theory, InlineData(false), InlineData(true)]
    public void Drift_beyond_the_limit_is_reported_and_gradients_are_right_all_the_same(bool images)
    {
        using var scope = NewDisposeScope();
        var x = images ? randn(6, 4, 2, 2) : randn(6, 4);
        var gradients = new List<Tensor[]>();
        foreach (var reversible in new[] { false, true })
        {
            manual_seed(5);
            // 30 couplings that multiply by up to e² and divide again lose digits of float32
            Bijection[] layers = images ? Steps(30)
                : [.. Enumerable.Range(0, 30).Select(Bijection (i) => new AffineCouplingLayer([4], i % 2 == 0 ? Mask.FirstHalf(4)
                : !Mask.FirstHalf(4), new ResidualMlp(2, 4, 8, 1)))];
            using var flow = new Flow(images ? [4, 2, 2] : [4], new Chain(layers));
            RandomWeights.Draw(flow, 4, 0.35);
            flow.ReversibleTraining = reversible;
            flow.NegativeLogLikelihood(x).backward();
            gradients.Add([.. flow.parameters().Select(p => p.grad!.clone())]);
            if (!reversible) continue;
            flow.ReversibleDrift.Should().BeGreaterThan(ReversibleSession.Limit(float32));
            for (var step = 0; step < 6; step++)
            {
                flow.NegativeLogLikelihood(x).backward();
                if (flow.ReversibleDrift <= ReversibleSession.Limit(float32)) return;
            }
            flow.ReversibleDrift.Should().BeLessThanOrEqualTo(ReversibleSession.Limit(float32), "more inputs are kept with each step");
        }
        var size = gradients[0].Max(Largest);
        for (var i = 0; i < gradients[0].Length; i++)
            Largest(gradients[1][i].sub(gradients[0][i])).Should().BeLessThanOrEqualTo(1e-5 * size);
    }

    [Fact]
    public void Layers_that_draw_random_numbers_train_the_ordinary_way()
    {
        using var scope = NewDisposeScope();
        var net = nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.5), nn.Linear(8, 4));
        using var coupling = new AffineCouplingLayer([4], Mask.FirstHalf(4), net);
        coupling.IsRepeatable.Should().BeFalse();
        using var flow = new Flow([4], new Chain(new DiagonalScaling([4]), coupling)) { ReversibleTraining = true };
        manual_seed(1);
        flow.NegativeLogLikelihood(randn(3, 4)).backward();
        flow.parameters().Should().OnlyContain(p => HasGradient(p));
    }

    [Fact]
    public void A_layer_that_hides_its_random_numbers_is_refused()
    {
        using var scope = NewDisposeScope();
        using var flow = new Flow([4], new Chain(new DiagonalScaling([4]), new AffineCouplingLayer([4], Mask.FirstHalf(4),
            new Noisy()))) { ReversibleTraining = true };
        var loss = () => flow.NegativeLogLikelihood(randn(3, 4));
        loss.Should().Throw<InvalidOperationException>().WithMessage("*drew random numbers*IsRepeatable*");
    }

    [Fact]
    public void What_goes_wrong_in_a_backward_pass_is_thrown()
    {
        using var scope = NewDisposeScope();
        using var flow = new Flow([4], new Chain(new DiagonalScaling([4]), new AffineCouplingLayer([4], Mask.FirstHalf(4),
            new ResidualMlp(2, 4, 8, 1)))) { ReversibleTraining = true };
        var loss = flow.NegativeLogLikelihood(randn(3, 4));
        flow.eval();
        loss.backward();
        flow.parameters().Should().OnlyContain(p => IsNaN(p), "nobody trains on wrong gradients");
        var next = RealNvp.Operations.KernelFault.Throw;
        next.Should().Throw<InvalidOperationException>().WithMessage("*call backward() before eval()*");
    }

    private static bool HasGradient(TorchSharp.Modules.Parameter parameter)
    {
        using var gradient = parameter.grad;
        return gradient is not null;
    }

    private static bool IsNaN(TorchSharp.Modules.Parameter parameter)
    {
        using var scope = NewDisposeScope();
        return parameter.grad!.isnan().all().item<bool>();
    }

    private sealed class Noisy() : nn.Module<Tensor, Tensor>(nameof(Noisy))
    {
        public override Tensor forward(Tensor input) => randn([input.shape[0], 4], dtype: input.dtype);
    }
}
