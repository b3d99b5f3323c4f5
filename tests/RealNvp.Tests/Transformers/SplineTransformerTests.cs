using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Transformers;

[LeavesNoTensors]
public class SplineTransformerTests
{
    public static TheoryData<SplineTails> AllTails => [.. Enum.GetValues<SplineTails>()];

    public static TheoryData<SplineTails, int> TailsAndBins =>
        new(AllTails.SelectMany(t => new[] { 1, 2, 8, 64 }.Select(k => (t.Data, k))));

    [Theory, MemberData(nameof(TailsAndBins))]
    public void Parameters_of_zero_are_the_identity(SplineTails tails, int bins)
    {
        using var scope = NewDisposeScope();
        using var spline = new SplineTransformer(bins, -1, 4, tails);
        var x = linspace(-1, 4, 101, dtype: float64).unsqueeze(1);
        var (y, logDerivative) = spline.Forward(x, zeros(101, spline.ParametersPerElement, dtype: float64));
        Largest(y.sub(x)).Should().BeLessThan(1e-13);
        Largest(logDerivative!).Should().BeLessThan(1e-12);
    }

    [Theory, MemberData(nameof(TailsAndBins))]
    public void The_interval_is_mapped_onto_itself_and_inverted(SplineTails tails, int bins)
    {
        using var scope = NewDisposeScope();
        using var spline = new SplineTransformer(bins, -1, 4, tails);
        var parameters = Parameters(spline, 501);
        // one spline at all points, with both edges
        parameters = parameters.narrow(0, 0, 1).expand(501, -1);
        var x = linspace(-1, 4, 501, dtype: float64).unsqueeze(1);
        var (y, logDerivative) = spline.Forward(x, parameters);
        y[0].item<double>().Should().Be(-1);
        y[500].item<double>().Should().BeApproximately(4, 1e-12);
        y.diff(dim: 0).min().item<double>().Should().BePositive("the map is monotonic");
        var (back, inverse) = spline.Inverse(y, parameters);
        Largest(back.sub(x)).Should().BeLessThan(1e-9);
        Largest(inverse!.add(logDerivative!)).Should().BeLessThan(1e-6);
    }

    [Fact]
    public void Linear_tails_are_the_identity_to_the_last_bit()
    {
        using var scope = NewDisposeScope();
        using var spline = new SplineTransformer(5, 3);
        var x = tensor([-3.4e38f, -1e10f, -3.001f, 3.001f, 7f, 3.4e38f]).unsqueeze(1);
        var (y, logDerivative) = spline.Forward(x, Parameters(spline, 6).to(float32));
        y.eq(x).all().item<bool>().Should().BeTrue();
        logDerivative!.eq(0).all().item<bool>().Should().BeTrue();
        var (back, inverse) = spline.Inverse(x, Parameters(spline, 6).to(float32));
        back.eq(x).all().item<bool>().Should().BeTrue();
        inverse!.eq(0).all().item<bool>().Should().BeTrue();
    }

    [Theory, MemberData(nameof(AllTails))]
    public void At_a_knot_both_bins_say_the_same(SplineTails tails)
    {
        using var scope = NewDisposeScope();
        using var spline = new SplineTransformer(4, 2, tails);
        var parameters = Parameters(spline, 1);
        var knots = parameters.narrow(1, 0, 4).softmax(1).mul(4 * (1 - 4e-3)).add(4e-3).cumsum(1).sub(2).narrow(1, 0, 3).t();
        var here = parameters.expand(3, -1);
        var (y, at) = spline.Forward(knots, here);
        foreach (var step in new[] { -1e-9, 1e-9 })
        {
            var (near, derivative) = spline.Forward(knots.add(step), here);
            // the step times the curvature, which is up to some 1e4 in bins this narrow; a wrong derivative is wrong by 0.1 or more
            Largest(near.sub(y).div(step).log().sub(at!)).Should().BeLessThan(1e-4, "the derivative is continuous");
            Largest(derivative!.sub(at!)).Should().BeLessThan(1e-4);
        }
    }

    [Fact]
    public void A_circle_closes_and_turns_follow()
    {
        using var scope = NewDisposeScope();
        using var spline = new SplineTransformer(6, Math.PI, SplineTails.Circular);
        var parameters = Parameters(spline, 1).expand(40, -1);
        var x = linspace(-Math.PI, Math.PI, 40, dtype: float64).unsqueeze(1);
        var (y, logDerivative) = spline.Forward(x, parameters);
        logDerivative![0].item<double>().Should().BeApproximately(logDerivative[39].item<double>(), 1e-12, "both edges are one angle");
        foreach (var turns in new[] { -3, 1, 2 })
        {
            var (far, same) = spline.Forward(x.add(2 * Math.PI * turns), parameters);
            Largest(far.sub(y).sub(2 * Math.PI * turns)).Should().BeLessThan(1e-11);
            Largest(same!.sub(logDerivative)).Should().BeLessThan(1e-10);
        }
    }

    [Fact]
    public void Beyond_a_box_the_map_goes_on_along_the_tangent()
    {
        using var scope = NewDisposeScope();
        using var spline = new SplineTransformer(3, 0, 1, SplineTails.Box);
        var parameters = Parameters(spline, 1).expand(2, -1);
        var (y, logDerivative) = spline.Forward(tensor([1.5, -0.25]).unsqueeze(1), parameters);
        var (edge, slope) = spline.Forward(tensor([1.0, 0.0]).unsqueeze(1), parameters);
        Largest(logDerivative!.sub(slope!)).Should().Be(0);
        Largest(y.sub(edge).sub(slope!.exp().mul(tensor([0.5, -0.25]).unsqueeze(1)))).Should().BeLessThan(1e-14);
        Largest(spline.Inverse(y, parameters).Value.sub(tensor([1.5, -0.25]).unsqueeze(1))).Should().BeLessThan(1e-10);
    }

    [Theory, MemberData(nameof(AllTails))]
    public void Wild_parameters_and_inputs_give_finite_values_and_gradients(SplineTails tails)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(3);
        using var spline = new SplineTransformer(8, 3, tails);
        foreach (var size in new[] { 10, 100, 1e4 })
            foreach (var inverse in new[] { false, true })
            {
                var x = cat([randn([4000, 1], generator: generator).mul(3), full(8, 1, 3f), full(8, 1, -3f),
                    tensor([0f, 1e4f, -1e4f, 1e30f, -1e30f, float.Epsilon, 3.0000002f, -3.0000002f]).unsqueeze(1)]).requires_grad_();
                var parameters = randn([x.shape[0], spline.ParametersPerElement], generator: generator).mul(size).requires_grad_();
                var (y, logDerivative) = inverse ? spline.Inverse(x, parameters) : spline.Forward(x, parameters);
                logDerivative!.isfinite().all().item<bool>().Should().BeTrue();
                // a box's tangent can leave float32
                if (tails != SplineTails.Box || size < 1e3) y.clamp(-1e3, 1e3).isfinite().all().item<bool>().Should().BeTrue();
                logDerivative.sum().add(y.narrow(0, 0, 4016).sum()).backward();
                x.grad!.isfinite().all().item<bool>().Should().BeTrue();
                parameters.grad!.isfinite().all().item<bool>().Should().BeTrue();
            }
    }

    [Fact]
    public void A_circle_that_does_not_begin_at_minus_its_end_turns_by_its_own_period()
    {
        using var scope = NewDisposeScope();
        using var spline = new SplineTransformer(4, 0.5, 2, SplineTails.Circular);
        var x = tensor(new[] { 0.6, 1.1, 1.9 }).unsqueeze(1);
        var parameters = randn([1, spline.ParametersPerElement], dtype: float64).expand(3, -1);
        var once = spline.Forward(x, parameters);
        foreach (var turns in new[] { -2, 1, 3 })
        {
            var again = spline.Forward(x.add(1.5 * turns), parameters);
            again.Value.sub(once.Value).sub(1.5 * turns).abs().max().item<double>().Should().BeLessThan(1e-12);
            again.LogDerivative!.sub(once.LogDerivative!).abs().max().item<double>().Should().BeLessThan(1e-12);
        }
    }

    [Fact]
    public void Wrong_options_and_parameters_are_refused()
    {
        FluentActions.Invoking(() => new SplineTransformer(0)).Should().Throw<ArgumentOutOfRangeException>().WithMessage("*1 to 64*");
        FluentActions.Invoking(() => new SplineTransformer(65)).Should().Throw<ArgumentOutOfRangeException>().WithMessage("*1 to 64*");
        FluentActions.Invoking(() => new SplineTransformer(4, -1)).Should().Throw<ArgumentOutOfRangeException>()
            .WithMessage("*low < high*");
        FluentActions.Invoking(() => new SplineTransformer(4, double.NaN)).Should().Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => new SplineTransformer(4, double.PositiveInfinity)).Should().Throw<ArgumentOutOfRangeException>();
        FluentActions.Invoking(() => new SplineTransformer(4, 3, (SplineTails)7)).Should().Throw<ArgumentOutOfRangeException>()
            .WithMessage("*tails*");
        using var scope = NewDisposeScope();
        using var spline = new SplineTransformer(4);
        FluentActions.Invoking(() => spline.Forward(zeros(3), zeros(33))).Should().Throw<ArgumentException>()
            .WithMessage("*11 parameters*(N, 11*");
        FluentActions.Invoking(() => spline.Forward(zeros(2, 3), zeros(2, 12))).Should().Throw<ArgumentException>()
            .WithMessage("*11 parameters*(N, 11*");
    }

    private static Tensor Parameters(SplineTransformer spline, long count)
    {
        using var generator = new Generator(11);
        return randn([count, spline.ParametersPerElement], dtype: float64, generator: generator).mul(2);
    }

    private static double Largest(Tensor t) => t.abs().max().item<double>();
}
