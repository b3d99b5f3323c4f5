using RealNvp.Internal;
using RealNvp.Kernels;
using RealNvp.Operations;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Bijections;

/// <summary>The Lipschitz bounds of residual networks, as they are measured.</summary>
[LeavesNoTensors]
public class ResidualBoundTests
{
    private static readonly Dictionary<string, (EventShape Shape, Func<Conditioner> Make)> networks = new()
    {
        ["LipSwish"] = ([3], () => new LipschitzMlp(3, 3, 16, 2)),
        ["ELU"] = ([3], () => new LipschitzMlp(3, 3, 16, 2, ActivationKind.Elu, 0.97)),
        ["CLipSwish"] = ([3], () => new LipschitzMlp(3, 3, 8, 2, ActivationKind.CLipSwish, 0.97)),
        ["norm 1"] = ([3], () => new LipschitzMlp(3, 3, 8, 1, norm: 1)),
        ["norm infinity"] = ([3], () => new LipschitzMlp(3, 3, 8, 1, norm: double.PositiveInfinity)),
        ["convolutions"] = ([2, 4, 3], () => new LipschitzConvNet([2, 4, 3], 2, 5)),
        ["1×1 convolutions"] = ([2, 3, 3], () => new LipschitzConvNet([2, 3, 3], 2, 4, [1, 1])),
        ["5×5 convolution"] = ([1, 4, 4], () => new LipschitzConvNet([1, 4, 4], 1, 3, [5])),
    };

    public static TheoryData<string> Networks => [.. networks.Keys];

    [Theory, MemberData(nameof(Networks))]
    public void No_two_inputs_are_taken_further_apart_than_the_bound_says_as_gradient_ascent_finds_also_after_training(string name)
    {
        using var scope = NewDisposeScope();
        var (shape, make) = networks[name];
        manual_seed(3);
        using var flow = new Flow(shape, new Chain(new ResidualLayer(shape, make(), new ResidualLogDet { ExactUpTo = 64 })));
        RandomWeights.Draw(flow, 4, spread: 1);
        var layer = flow.Bijection.modules().OfType<ResidualLayer>().Single();
        var x = randn(shape.WithBatch(16)).mul(2);
        Measure(layer).Should().BeLessThan(Most(layer));
        var optimizer = optim.SGD(flow.parameters(), 0.1);
        flow.train();
        for (var step = 0; step < 6; step++)
        {
            optimizer.zero_grad();
            flow.NegativeLogLikelihood(x).backward();
            optimizer.step();
        }
        // as training sees it, and as evaluation does
        Measure(layer).Should().BeLessThan(Most(layer));
        flow.eval();
        Measure(layer).Should().BeLessThan(Most(layer));
        optimizer.Dispose();

        static double Most(ResidualLayer layer) => Math.Min(1, layer.LipschitzBound * Math.Pow(1 + LipschitzLayer.Tolerance, 3));
    }

    // the largest |Jv| over |v| in the norm of the network, and so of any two inputs near each other, by gradient ascent on both
    private static double Measure(ResidualLayer layer)
    {
        var p = layer.Network.modules().OfType<LipschitzLayer>().First().Domain;
        using var scope = NewDisposeScope();
        var shape = layer.InputShape!.Value;
        using var generator = new Generator(8);
        var x = randn(shape.WithBatch(32), generator: generator).mul(2);
        var v = randn(shape.WithBatch(32), generator: generator);
        var call = NetworkCall.Of(layer.Network);
        var largest = 0.0;
        for (var i = 0; i < 25; i++)
        {
            var (a, b) = (x.detach().requires_grad_(true), v.detach().requires_grad_(true));
            var step = b.div(Length(b, p)).mul(1e-2);
            var ratio = Length(call.Run(a.add(step), null).sub(call.Run(a, null)), p).flatten().mul(100);
            largest = Math.Max(largest, ratio.max().item<float>());
            autograd.backward([ratio.sum()], null, false, false, [a, b]);
            x = a.detach().add(a.grad!.div(Length(a.grad!, 2).clamp_min(1e-20)).mul(0.3));
            v = b.detach().div(Length(b.detach(), 2)).add(b.grad!.div(Length(b.grad!, 2).clamp_min(1e-20)).mul(0.3));
        }
        // digits of a difference of float32
        return largest * (1 - 1e-4);
    }

    private static Tensor Length(Tensor rows, double p)
    {
        var flat = rows.flatten(1);
        var length = p == 1 ? flat.abs().sum(1) : p == 2 ? flat.pow(2).sum(1).sqrt() : flat.abs().amax(1);
        return length.reshape([rows.shape[0], .. rows.shape.Skip(1).Select(_ => 1L)]);
    }

    [Theory]
    [InlineData(true), InlineData(false)]
    public void The_weight_that_is_used_has_the_coefficient_as_its_largest_singular_value_on_images_of_the_real_size(bool training)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        foreach (var size in new[] { 1L, 3, 5 })
        {
            using var layer = new LipschitzConv2d(2, 3, size, 4, 5, 0.8);
            layer.Weight.mul_(20);
            layer.train(training);
            var weight = layer.Normalized();
            var dense = layer.Times(eye(40).reshape(40, 2, 4, 5), weight).flatten(1);
            var largest = linalg.svdvals(dense).max().item<float>();
            largest.Should().BeApproximately(0.8f, training ? 1e-3f : 1e-5f);
        }
    }

    [Theory]
    [InlineData("LipSwish", true), InlineData("LipSwish", false), InlineData("ELU", true), InlineData("convolutions", true)]
    public void Gradients_in_training_are_those_of_the_weights_that_are_used_before_power_iteration_has_arrived_too(string name,
        bool kernel)
    {
        using var scope = NewDisposeScope();
        using var _ = KernelSwitch.Set(kernel, nameof(KernelSwitches.Residual));
        var (shape, make) = networks[name];
        using var layer = new ResidualLayer(shape, make(), new ResidualLogDet { ExactUpTo = 24 });
        layer.to(float64);
        layer.train();
        using var generator = new Generator(3);
        var x = randn(shape.WithBatch(6), dtype: float64, generator: generator);
        var weights = layer.named_parameters().Where(p => p.name.EndsWith("weight", StringComparison.Ordinal)).Select(p => p.parameter)
            .ToArray();
        using (no_grad())
        {
            foreach (var weight in weights) weight.mul_(3);
            layer.Forward(x);
        }
        // left vectors that are near, and not singular
        var near = layer.named_buffers().Where(b => b.name.EndsWith(".u", StringComparison.Ordinal))
            .Select(b => (b.buffer, Value: b.buffer.add(randn(b.buffer.shape, dtype: float64, generator: generator).mul(1e-4)))).ToArray();
        near.Should().NotBeEmpty();
        var along = randn(x.shape, dtype: float64, generator: generator);
        Tensor Loss()
        {
            using (no_grad())
                foreach (var (buffer, value) in near) buffer.copy_(value);
            var (z, logDet) = layer.Forward(x);
            return z.mul(along).sum().add(logDet.sum());
        }
        Loss().backward();
        foreach (var weight in weights)
        {
            using var still = no_grad();
            var direction = randn(weight.shape, dtype: float64, generator: generator);
            double At(double step)
            {
                weight.add_(direction, step);
                var loss = Loss().item<double>();
                weight.add_(direction, -step);
                return loss;
            }
            var slope = ((8 * (At(1e-4) - At(-1e-4))) - (At(2e-4) - At(-2e-4))) / 12e-4;
            weight.grad!.mul(direction).sum().item<double>().Should().BeApproximately(slope, 1e-8 * Math.Max(1, Math.Abs(slope)));
        }
        // and the step was taken
        foreach (var (buffer, value) in near) buffer.sub(value).abs().max().item<double>().Should().BePositive();
    }

    [Fact]
    public void A_weight_below_the_coefficient_stays_as_it_is_and_one_of_zeros_does_no_harm()
    {
        using var scope = NewDisposeScope();
        using var small = new LipschitzLinear(3, 4);
        using (no_grad()) small.Weight.mul_(0.01);
        foreach (var training in new[] { true, false })
        {
            small.train(training);
            small.Normalized().sub(small.Weight).abs().max().item<float>().Should().Be(0);
            using var zero = new LipschitzLinear(3, 4, zero: true);
            zero.train(training);
            zero.Normalized().isfinite().all().item<bool>().Should().BeTrue();
            zero.call(ones(2, 3)).abs().max().item<float>().Should().Be(0);
        }
    }
}
