using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Arguments;

/// <summary>The shared checks, one kind of member each: the slow sweep goes over all members.</summary>
[LeavesNoTensors]
public class ArgumentCheckTests
{
    [Fact]
    public void Every_network_says_what_it_expects_when_it_is_called_alone()
    {
        using var scope = NewDisposeScope();
        foreach (var subject in SweepSubject.Networks())
        {
            using var made = (nn.Module)subject.Make();
            if (made is not Conditioner network) continue;
            var input = zeros(subject.Input);
            var context = network.ContextSize > 0 ? zeros(2, network.ContextSize) : null;
            network.forward(input, context).shape[0].Should().Be(2);
            Refused(() => network.forward(input.narrow(1, 0, 1), context), "*expects input of shape*got*");
            Refused(() => network.forward(input.to(float64), context), "*has weights of dtype Float32*");
            Refused(() => network.forward(input.to(META), context), "*weights on cpu*meta*");
            Refused(() => network.forward(input.to_sparse(), context), "*sparse*to_dense*");
            if (context is not null) Refused(() => network.forward(input, context.narrow(0, 0, 1)), "*context of shape (2, 3)*");
            if (context is not null) Refused(() => network.forward(input, null), "*conditional*");
            network.Dispose();
            FluentActions.Invoking(() => network.forward(input, context)).Should().Throw<ObjectDisposedException>();
        }
    }

    [Fact]
    public void Weights_and_data_that_are_both_on_the_device_meta_are_refused_everywhere()
    {
        using var scope = NewDisposeScope();
        using var model = new RealNvpModel(RealNvpOptions.Toy2D, seed: 0);
        using var layer = new InvertibleLinearLayer([2]);
        using var network = new Mlp(2, 2, 4);
        using var density = new DiagonalNormal([2]);
        foreach (var module in new nn.Module[] { model, layer, network, density }) module.to(META);
        var x = zeros(3, 2, device: META);
        Refused(() => model.LogProb(x), "*meta*no numbers*");
        Refused(() => model.Decode(x), "*meta*no numbers*");
        Refused(() => model.NegativeLogLikelihood(x), "*meta*no numbers*");
        Refused(() => layer.Forward(x), "*meta*no numbers*");
        Refused(() => layer.Inverse(x), "*meta*no numbers*");
        Refused(() => network.forward(x, null), "*meta*no numbers*");
        Refused(() => density.LogProb(x), "*meta*no numbers*");
    }

    [Fact]
    public void Every_transformer_takes_parameters_that_fit_or_stand_for_all_and_refuses_others()
    {
        using var scope = NewDisposeScope();
        foreach (var subject in SweepSubject.Transformers())
        {
            using var transformer = (ScalarTransformer)subject.Make();
            var p = transformer.ParametersPerElement;
            var x = full(3, 4, 0.5);
            var one = randn(1, 4 * p).mul(0.1);
            foreach (var map in new Func<Tensor, Tensor, (Tensor Value, Tensor? LogDerivative)>[] { transformer.Forward,
                transformer.Inverse })
            {
                var (broadcast, repeated) = (map(x, one), map(x, one.repeat(3, 1)));
                broadcast.Value.allclose(repeated.Value, 1e-6, 1e-6).Should().BeTrue(subject.Name);
                broadcast.LogDerivative?.expand_as(x).allclose(repeated.LogDerivative!.expand_as(x), 1e-6, 1e-6).Should()
                    .BeTrue(subject.Name);
                Refused(() => map(x, zeros(2, 4 * p)), $"*needs {p} parameters*");
                Refused(() => map(x, zeros(3, (4 * p) + 1)), $"*needs {p} parameters*");
                Refused(() => map(x, zeros(3, 4 * p, float64)), "*one dtype*");
                Refused(() => map(x.to(int64), zeros(3, 4 * p)), "*floating-point*");
                Refused(() => map(x.to_sparse(), zeros(3, 4 * p)), "*sparse*");
                FluentActions.Invoking(() => map(null!, zeros(3, 4 * p))).Should().Throw<ArgumentNullException>();
                FluentActions.Invoking(() => map(x, null!)).Should().Throw<ArgumentNullException>();
            }
        }
    }

    [Fact]
    public void Lists_sizes_and_devices_are_checked()
    {
        using var scope = NewDisposeScope();
        using var layer = new DiagonalScaling([4]);
        Refused(() => new Chain(layer, null!), "*Layer 1 is null*");
        Refused(() => new AdamOptimizer([null!]), "*Group 0 is null*");
        Refused(() => new Mlp(2, 4, hidden: 1L << 40), "*hidden*at most*");
        Refused(() => new ResidualMlp(2, 4, blocks: int.MaxValue), "*blocks*0 to 4096*");
        Refused(() => new DiagonalScaling([1L << 40]), "*at most 2147483647 elements*");
        using var density = new DiagonalNormal([4]);
        Refused(() => density.Sample(2, 1, ScalarType.Int64, CPU, null), "*floating-point*Int64*");
        using var flow = new Flow([4], new DiagonalScaling([4]));
        FluentActions.Invoking(() => flow.Sample(1L << 40)).Should().Throw<OutOfMemoryException>()
            .WithMessage("Flow.Sample*1,099,511,627,776 samples of 4*not enough memory*some at a time*");
        FluentActions.Invoking(() => flow.Sample(long.MaxValue)).Should().Throw<OutOfMemoryException>();
        FluentActions.Invoking(() => EventShape.Create(2, 3)[2]).Should().Throw<ArgumentOutOfRangeException>();
    }

    private static void Refused(Func<object?> call, string message) =>
        FluentActions.Invoking(call).Should().Throw<ArgumentException>().WithMessage(message);
}
