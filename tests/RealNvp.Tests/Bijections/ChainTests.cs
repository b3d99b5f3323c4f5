using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Bijections;

public class ChainTests
{
    [Fact]
    public void Shapes_follow_the_order_of_the_layers()
    {
        using var chain = new Chain(new Squeeze([1, 4, 2]), new MultiScaleLayer([4, 2, 1], new ActNorm([4, 2, 1]), new ActNorm([2, 2, 1])));
        chain.OutputShapeOf([1, 4, 2]).Should().Equal([8L]);
        chain.InputShapeOf([8]).Should().Equal([1L, 4, 2]);
    }

    [Fact]
    public void The_input_shape_is_found_back_through_layers_for_any_size_from_the_last_to_the_first()
    {
        using var chain = new Chain(new Squeeze([-1, -1, -1]), new InvertedLayer(new Squeeze([-1, -1, -1])),
            new DiagonalScaling([1, 6, 2]));
        chain.InputShape.Should().Be(EventShape.Create(1, 6, 2));
    }

    [Fact]
    public void SumExamples_takes_a_log_derivative_that_is_one_number_an_example()
    {
        using var scope = NewDisposeScope();
        using var layer = new Doubled();
        layer.Forward(ones(3, 1)).LogDet.data<float>().Should().Equal(0.6931472f, 0.6931472f, 0.6931472f);
    }

    private sealed class Doubled() : Bijection(nameof(Doubled), [1])
    {
        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) =>
            (x.mul(2), SumExamples(full(x.shape[0], Math.Log(2), x.dtype)));

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) =>
            (z.div(2), SumExamples(full(z.shape[0], -Math.Log(2), z.dtype)));
    }
}
