using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Bijections;

public class LinearLayerTests
{
    public static TheoryData<LinearForm> Forms => [.. Enum.GetValues<LinearForm>()];

    [Theory, MemberData(nameof(Forms))]
    public void A_new_layer_is_a_random_rotation(LinearForm form)
    {
        using var scope = NewDisposeScope();
        using var layer = new InvertibleLinearLayer([7], form);
        var w = layer.Matrix();
        w.matmul(w.t()).sub(eye(7)).abs().max().item<float>().Should().BeLessThan(1e-5f);
        layer.Forward(randn(2, 7)).LogDet.abs().max().item<float>().Should().BeLessThan(1e-5f);
        w.sub(eye(7)).abs().max().item<float>().Should().BeGreaterThan(0.1f);
    }

    [Fact]
    public void A_layer_that_starts_as_a_permutation_moves_each_feature_once_and_two_layers_differ()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var layer = InvertibleLinearLayer.StartingAsPermutation([20]);
        using var other = InvertibleLinearLayer.StartingAsPermutation([20]);
        var w = layer.Matrix();
        w.sum([0L]).sub(ones(20)).abs().max().item<float>().Should().Be(0);
        w.sum([1L]).sub(ones(20)).abs().max().item<float>().Should().Be(0);
        w.count_nonzero().item<long>().Should().Be(20);
        layer.Forward(randn(2, 20)).LogDet.abs().max().item<float>().Should().Be(0);
        w.sub(other.Matrix()).abs().max().item<float>().Should().Be(1);
        w.sub(eye(20)).abs().max().item<float>().Should().Be(1);
        layer.FaultIn(layer.state_dict()).Should().BeNull();
        layer.parameters().Single().requires_grad.Should().BeTrue("it learns as any other");
    }

    [Theory, InlineData(false), InlineData(true)]
    public void The_linear_layers_of_a_spline_flow_start_as_permutations(bool circles)
    {
        using var scope = NewDisposeScope();
        using var model = new SplineFlowModel(SplineFlowOptions.Tabular(6) with { Layers = 3, Hidden = 8,
            CircularFeatures = circles ? [0] : [] });
        var layers = model.modules().OfType<InvertibleLinearLayer>().ToList();
        layers.Should().HaveCount(4);
        foreach (var layer in layers) layer.Matrix().count_nonzero().item<long>().Should().Be(circles ? 5 : 6);
    }

    [Theory, MemberData(nameof(Forms))]
    public void The_matrix_is_what_Forward_multiplies_by(LinearForm form)
    {
        using var scope = NewDisposeScope();
        using var layer = new InvertibleLinearLayer([3, -1, -1], form);
        var x = randn(2, 3, 4, 5);
        var expected = einsum("ij,njhw->nihw", layer.Matrix(), x);
        layer.Forward(x).Value.sub(expected).abs().max().item<float>().Should().BeLessThan(1e-5f);
    }

    [Theory, InlineData(LinearForm.Lu), InlineData(LinearForm.Orthogonal), InlineData(LinearForm.Qr)]
    public void Weights_far_from_the_start_stay_invertible_and_finite(LinearForm form)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        for (var seed = 0; seed < 20; seed++)
        {
            manual_seed(seed);
            using var layer = new InvertibleLinearLayer([4], form);
            foreach (var p in layer.parameters()) p.normal_(0, 10);
            var (z, logDet) = layer.Forward(randn(8, 4));
            z.isfinite().all().item<bool>().Should().BeTrue();
            logDet.isfinite().all().item<bool>().Should().BeTrue();
        }
    }

    [Fact]
    public void A_reflection_of_zeros_is_the_identity()
    {
        using var scope = NewDisposeScope();
        using var layer = new InvertibleLinearLayer([3], LinearForm.Orthogonal);
        using (no_grad()) layer.state_dict()["reflections"].zero_();
        var x = randn(4, 3);
        var z = layer.Forward(x).Value;
        z.eq(x).all().item<bool>().Should().BeTrue();
        z.sum().backward();
        layer.parameters().Single().grad!.isfinite().all().item<bool>().Should().BeTrue();
    }

    [Fact]
    public void A_singular_matrix_says_which_layer_and_what_to_do()
    {
        using var scope = NewDisposeScope();
        using var layer = new InvertibleLinearLayer([3], LinearForm.Plain);
        using (no_grad()) layer.state_dict()["weight"].zero_();
        var act = () => layer.Inverse(randn(4, 3));
        act.Should().Throw<InvalidOperationException>().WithMessage("*InvertibleLinearLayer (Plain) has no inverse*Lu*");
    }

    [Fact]
    public void Bad_shapes_and_counts_are_refused()
    {
        FluentActions.Invoking(() => new InvertibleLinearLayer([2, 3])).Should().Throw<ArgumentException>().WithMessage("*[D]*[C, H, W]*");
        FluentActions.Invoking(() => new InvertibleLinearLayer([3], LinearForm.Qr, 0)).Should().Throw<ArgumentOutOfRangeException>()
            .WithMessage("*reflections*");
        FluentActions.Invoking(() => new InvertibleLinearLayer([3], (LinearForm)9)).Should().Throw<ArgumentOutOfRangeException>();
    }

    [Fact]
    public void A_permutation_takes_output_i_from_input_order_i()
    {
        using var scope = NewDisposeScope();
        using var layer = new Permutation([3], [2, 0, 1]);
        var z = layer.Forward(tensor(new float[,] { { 10, 20, 30 } })).Value;
        z.data<float>().Should().Equal(30f, 10f, 20f);
        Permutation.Reversal([4]).Order.Should().Equal(3, 2, 1, 0);
        Permutation.Random([9], 5).Order.Should().Equal(Permutation.Random([9], 5).Order).And.BeEquivalentTo([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    }

    [Fact]
    public void An_order_that_is_no_permutation_is_refused()
    {
        FluentActions.Invoking(() => new Permutation([3], [0, 1])).Should().Throw<ArgumentException>().WithMessage("*3 numbers*got 2*");
        FluentActions.Invoking(() => new Permutation([3], [0, 1, 1])).Should().Throw<ArgumentException>()
            .WithMessage("*once; got 1 at position 2*");
        FluentActions.Invoking(() => new Permutation([3], [2, 2, 1])).Should().Throw<ArgumentException>()
            .WithMessage("*once; got 2 at position 1*");
        FluentActions.Invoking(() => new Permutation([3], [0, 1, 3])).Should().Throw<ArgumentException>()
            .WithMessage("*got 3 at position 2*");
        FluentActions.Invoking(() => Permutation.Reversal([-1, 2, 2])).Should().Throw<ArgumentException>()
            .WithMessage("*number of channels*");
    }
}
