using RealNvp.Tests.Kernels;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Densities;

/// <summary>The training loss in one operation is the mean of −log p, and so are its gradients.</summary>
public class MeanLossTests
{
    public static TheoryData<ScalarType, long[]> Kinds => new()
    {
        { ScalarType.Float32, [3] },
        { ScalarType.Float64, [3] },
        { ScalarType.Float32, [2, 4, 4] },
    };

    [Theory, MemberData(nameof(Kinds))]
    public void The_loss_and_its_gradients_are_those_of_log_p(ScalarType dtype, long[] shape)
    {
        using var scope = NewDisposeScope();
        using var flow = Make(shape, dtype);
        var x = randn([5, .. shape], dtype: dtype);
        var (loss, gradients) = Of(flow, () => flow.NegativeLogLikelihood(x));
        var (expected, others) = Of(flow, () => flow.TrainingLogProb(x).mean().neg());
        loss.Should().BeApproximately(expected, 1e-6 * Math.Abs(expected));
        for (var i = 0; i < gradients.Length; i++) KernelResults.ApartOfLargest(gradients[i], others[i]).Should().BeLessThan(2e-6);
    }

    [Theory, MemberData(nameof(Kinds))]
    public void So_are_the_gradients_of_gradients(ScalarType dtype, long[] shape)
    {
        using var scope = NewDisposeScope();
        using var flow = Make(shape, dtype);
        var x = randn([5, .. shape], dtype: dtype).requires_grad_();
        var (_, gradients) = Of(flow, () => Penalty(flow.NegativeLogLikelihood(x), x));
        var (_, others) = Of(flow, () => Penalty(flow.TrainingLogProb(x).mean().neg(), x));
        for (var i = 0; i < gradients.Length; i++) KernelResults.ApartOfLargest(gradients[i], others[i]).Should().BeLessThan(1e-5);
    }

    [Fact]
    public void A_bijection_without_weights_and_a_leaf_alone_get_theirs()
    {
        using var scope = NewDisposeScope();
        using var flow = new Flow([3], new Permutation([3], [2, 0, 1]));
        var x = randn(4, 3).requires_grad_();
        flow.NegativeLogLikelihood(x).backward();
        KernelResults.ApartOfLargest(x.grad!, x.detach().div(4)).Should().BeLessThan(1e-6);
        x.requires_grad_(false);
        flow.NegativeLogLikelihood(x).requires_grad.Should().BeFalse();
    }

    private static Flow Make(long[] shape, ScalarType dtype)
    {
        var size = EventShape.Create(shape);
        Conditioner Network(ConditionerSizes s) => shape.Length == 1 ? new Mlp(s.Inputs, s.Outputs, 16)
            : new ResidualConvNet(s.Inputs, s.Outputs, new ResidualConvNetOptions { HiddenChannels = 8, Blocks = 1, BatchNorm = false });
        var mask = shape.Length == 1 ? Mask.Alternating(shape[0]) : Mask.Checkerboard(shape[1], shape[2]);
        var flow = new Flow(size, new Chain(new AffineCouplingLayer(size, mask, Network), new AffineCouplingLayer(size, !mask, Network)));
        RandomWeights.Draw(flow, 3, spread: 0.2);
        flow.to(dtype);
        return flow;
    }

    private static Tensor Penalty(Tensor loss, Tensor x) =>
        autograd.grad([loss], [x], retain_graph: true, create_graph: true)[0].square().sum();

    private static (double Loss, Tensor[] Gradients) Of(Flow flow, Func<Tensor> compute)
    {
        flow.zero_grad();
        var loss = compute();
        loss.backward();
        return (loss.to(float64).item<double>(), [.. flow.parameters().Select(p => p.grad!.clone())]);
    }
}
