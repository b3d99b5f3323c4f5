using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Bijections;

[LeavesNoTensors]
public class AutoregressiveLayerTests
{
    [Theory, InlineData(true), InlineData(false)]
    public void The_parameters_of_a_feature_see_the_features_before_it_in_the_order(bool residual)
    {
        using var scope = NewDisposeScope();
        long[] order = [2, 0, 3, 1];
        using var made = Randomized(new Made(4, 2, new() { Hidden = 30, Blocks = 2, Residual = residual, Order = order }));
        var x = randn(4);
        var at = made.call(x.unsqueeze(0), null).view(2, 4);
        for (var moved = 0; moved < 4; moved++)
        {
            var other = x.clone();
            other[moved] = 7f;
            var changed = made.call(other.unsqueeze(0), null).view(2, 4).sub(at).abs().sum(0, keepdim: false, type: float32);
            var position = Array.IndexOf(order, moved);
            for (var feature = 0; feature < 4; feature++)
                (changed[feature].item<float>() > 0).Should().Be(Array.IndexOf(order, feature) > position,
                    $"feature {feature} comes {(Array.IndexOf(order, feature) > position ? "after" : "not after")} feature {moved}");
        }
    }

    [Fact]
    public void With_a_context_the_first_feature_depends_on_it()
    {
        using var scope = NewDisposeScope();
        // with few units of degree 0, some weights leave none of them alive
        manual_seed(2);
        using var made = Randomized(new Made(3, 1, new() { Hidden = 12, ContextSize = 2 }));
        var x = randn(1, 3);
        made.call(x, zeros(1, 2)).sub(made.call(x, ones(1, 2))).abs().min().item<float>().Should()
            .BePositive("every feature depends on the context");
    }

    [Fact]
    public void One_sequence_gives_the_parameters_of_one_pass()
    {
        using var scope = NewDisposeScope();
        foreach (var grad in new[] { false, true })
        {
            using var made = Randomized(new Made(7, 3, new() { Hidden = 20, Blocks = 2, ContextSize = 2, Order = [3, 1, 0, 6, 2, 4, 5] }));
            made.to(float64);
            var (x, context) = (randn(5, 7, dtype: float64), randn(5, 2, dtype: float64));
            using var mode = set_grad_enabled(grad);
            var seen = new Dictionary<long, Tensor>();
            var (same, none) = made.Sequential(x, context, (feature, parameters) =>
            {
                seen.Add(feature, parameters.detach().clone().MoveToOuterDisposeScope().MoveToOuterDisposeScope());
                return (x.narrow(1, feature, 1), null);
            });
            none.Should().BeNull();
            same.eq(x).all().item<bool>().Should().BeTrue();
            var all = stack([.. Enumerable.Range(0, 7).Select(f => seen[f])], 2).flatten(1);
            all.sub(made.call(x, context)).abs().max().item<double>().Should()
                .BeLessThan(1e-14 * Math.Max(1, all.abs().max().item<double>()));
        }
    }

    [Fact]
    public void What_does_not_fit_is_refused()
    {
        using var one = new AffineTransformer([1]);
        using var four = new AffineTransformer([4]);
        using var two = new Made(4, 2);
        using var three = new Made(4, 3);
        FluentActions.Invoking(() => new AutoregressiveLayer(one, three)).Should().Throw<ArgumentException>()
            .WithMessage("*takes 2 parameters*gives 3*new Made(4, 2*");
        FluentActions.Invoking(() => new AutoregressiveLayer(four, two)).Should().Throw<ArgumentException>()
            .WithMessage("*one feature at a time*new AffineTransformer([1])*");
        FluentActions.Invoking(() => new Made(0, 2)).Should().Throw<ArgumentOutOfRangeException>().WithMessage("*features*");
        FluentActions.Invoking(() => new Made(2, 0)).Should().Throw<ArgumentOutOfRangeException>().WithMessage("*parameters*");
        FluentActions.Invoking(() => new Made(2, 2, new() { Hidden = 0 })).Should().Throw<ArgumentOutOfRangeException>()
            .WithMessage("*hidden*");
        FluentActions.Invoking(() => new Made(2, 2, new() { Blocks = -1 })).Should().Throw<ArgumentOutOfRangeException>()
            .WithMessage("*blocks*");
        FluentActions.Invoking(() => new Made(3, 2, new() { Order = [0, 1] })).Should().Throw<ArgumentException>()
            .WithMessage("*3 numbers*got 2*");
        FluentActions.Invoking(() => new Made(3, 2, new() { Order = [0, 1, 1] })).Should().Throw<ArgumentException>()
            .WithMessage("*got 1 at position 2*");
    }

    private static Made Randomized(Made made)
    {
        using var _ = no_grad();
        foreach (var parameter in made.parameters()) parameter.normal_(0, 0.5);
        return made;
    }
}
