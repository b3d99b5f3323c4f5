using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Inference;

[LeavesNoTensors]
public class RSampleTests
{
    // up to 16 rows without gradients are not computed by libtorch, whose sums of float64 have another order (decision 0051)
    [Theory, InlineData(0, 20, 0), InlineData(3, 5, 0), InlineData(0, 5, 1e-14)]
    public void It_gives_what_SampleAndLogProb_gives_with_gradients(long contextSize, long count, double rounding)
    {
        using var scope = NewDisposeScope();
        using var flow = Flows.Random(6, contextSize);
        var context = contextSize == 0 ? null : randn(4, contextSize, float64);
        var (x, logProb) = flow.RSampleAndLogProb(count, context, seed: 2);
        var (expected, expectedLogProb) = flow.SampleAndLogProb(count, context, seed: 2);
        x.requires_grad.Should().BeTrue();
        logProb.requires_grad.Should().BeTrue();
        expected.requires_grad.Should().BeFalse();
        x.detach().allclose(expected, rounding, rounding).Should().BeTrue();
        logProb.detach().allclose(expectedLogProb, rounding, rounding).Should().BeTrue();
        x.shape.Should().Equal(contextSize == 0 ? [count, 2] : [4, count, 2]);
    }

    [Fact]
    public void The_gradients_are_those_of_central_differences()
    {
        using var scope = NewDisposeScope();
        using var flow = Flows.Random(6);
        Tensor Loss() => flow.RSampleAndLogProb(5, seed: 2) is var (x, logProb) ? x.square().sum().add(logProb.sum())
            : throw new InvalidOperationException();
        Loss().backward();
        var gradient = Flows.TakeGradients(flow);
        using var gradients = no_grad();
        var at = 0;
        foreach (var parameter in flow.parameters())
        {
            var flat = parameter.view(-1);
            for (var i = 0; i < flat.shape[0]; i++, at++)
            {
                const double step = 1e-5;
                flat[i].add_(step);
                var up = Loss().item<double>();
                flat[i].sub_(2 * step);
                var down = Loss().item<double>();
                flat[i].add_(step);
                gradient[at].Should().BeApproximately((up - down) / (2 * step), 1e-6);
            }
        }
    }

    [Fact]
    public void No_examples_are_an_empty_batch()
    {
        using var scope = NewDisposeScope();
        using var flow = Flows.Random(6);
        var (x, logProb) = flow.RSampleAndLogProb(0);
        x.shape.Should().Equal(0, 2);
        logProb.shape.Should().Equal(0);
    }

    [Fact]
    public void What_does_not_fit_is_refused()
    {
        using var scope = NewDisposeScope();
        using var flow = Flows.Random(6);
        using var images = new RealNvpModel(RealNvpOptions.Image([1, 4, 4], scales: 1, blocks: 1, hidden: 4));
        FluentActions.Invoking(() => flow.RSampleAndLogProb(-1)).Should().Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => flow.RSampleAndLogProb(1, zeros(2))).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => images.RSampleAndLogProb(1)).Should().Throw<InvalidOperationException>().WithMessage("*dequantizes*");
    }

    [Fact]
    public void A_base_density_whose_weights_would_get_wrong_gradients_is_refused_unless_frozen()
    {
        using var scope = NewDisposeScope();
        using var density = new ShiftedNormal();
        using var flow = new Flow([2], new Permutation([2], [1, 0]), density);
        FluentActions.Invoking(() => flow.RSampleAndLogProb(3)).Should().Throw<InvalidOperationException>()
            .WithMessage("ShiftedNormal has weights*Freeze them*");
        flow.Sample(3).shape.Should().Equal(3, 2);
        density.Location.requires_grad = false;
        flow.RSampleAndLogProb(3).Samples.shape.Should().Equal(3, 2);
    }

    private sealed class ShiftedNormal : Density
    {
        private readonly TorchSharp.Modules.Parameter location;

        public ShiftedNormal() : base(nameof(ShiftedNormal), [2])
        {
            location = nn.Parameter(zeros(2).DetachFromDisposeScope());
            location.DetachFromDisposeScope();
            RegisterComponents();
        }

        public Tensor Location => location;

        protected override Tensor LogProbCore(Tensor z, Tensor? context) => z.sub(location).square().sum(1).mul(-0.5).sub(Flows.LogTwoPi);

        protected override Tensor SampleCore(long count, double temperature, ScalarType dtype, Device device, Generator? generator,
            Tensor? context) =>
            randn(count, 2, dtype: dtype, device: device, generator: generator).mul(temperature).add(location.detach());
    }
}
