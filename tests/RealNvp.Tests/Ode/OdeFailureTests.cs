using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Ode;

public class OdeFailureTests
{
    public static TheoryData<OdeMethod> Adaptive => OdeSolverTests.Adaptive;

    [Theory, MemberData(nameof(Adaptive))]
    public void Growth_without_bound_is_named_with_time_step_example_and_component(OdeMethod method)
    {
        // y' = y²: 1 / (1 − t) has no value at t = 1; the first example and the first component are harmless
        using var scope = NewDisposeScope();
        var y0 = tensor([0.0, 0, 0.1, 1], [2, 2], float64);
        var error = Throws(() => OdeSolver.Solve((_, y) => y.mul(y), y0, 0, 3, new() { Method = method, MaxSteps = 100_000 }));
        error.Failure.Should().NotBe(OdeFailure.TooManySteps);
        (error.Example, error.Component).Should().Be((1, 1));
        error.Time.Should().BeApproximately(1, 1e-4);
        error.Message.Should().Contain("example 1").And.Contain("component 1");
    }

    [Fact]
    public void Van_der_Pol_with_mu_1000_is_stiff_and_ends_in_the_named_error()
    {
        using var scope = NewDisposeScope();
        var error = Throws(() => OdeSolver.Solve(Problems.VanDerPol(1000), tensor([2.0, 0], [1, 2], float64), 0, 2000,
            new() { MaxSteps = 2000 }));
        error.Failure.Should().Be(OdeFailure.TooManySteps);
        error.Time.Should().BeInRange(0, 2000);
        error.Message.Should().Contain("stiff").And.Contain("MaxSteps");
    }

    [Theory, MemberData(nameof(Adaptive))]
    public void A_slope_that_is_not_finite_is_named(OdeMethod method)
    {
        using var scope = NewDisposeScope();
        var y0 = ones(3, 2, dtype: float64);
        var late = Throws(() => OdeSolver.Solve((t, y) => y.mul(t.neg().add(0.5).sqrt().unsqueeze(1)), y0, 0, 1,
            new() { Method = method }));
        late.Failure.Should().Be(OdeFailure.NotFinite);
        late.Time.Should().BeApproximately(0.5, 0.01);
        var first = Throws(() => OdeSolver.Solve((t, y) => y.div(0), y0, 0, 1, new() { Method = method }));
        (first.Failure, first.Time).Should().Be((OdeFailure.NotFinite, 0));
    }

    [Theory, InlineData(OdeMethod.Euler), InlineData(OdeMethod.Midpoint), InlineData(OdeMethod.Rk4)]
    public void Equal_steps_that_explode_are_named(OdeMethod method)
    {
        using var scope = NewDisposeScope();
        var y0 = tensor([0.0, 0, 0, 5], [2, 2], float64);
        var error = Throws(() => OdeSolver.Solve((_, y) => y.pow(3), y0, 0, 50, new() { Method = method, Steps = 200 }));
        (error.Failure, error.Example, error.Component).Should().Be((OdeFailure.NotFinite, 1, 1));
    }

    [SlowFact]
    public void A_hundred_planted_stiff_or_exploding_dynamics_end_in_the_named_error_within_the_step_limit()
    {
        using var random = new Generator(17);
        for (var i = 0; i < 100; i++)
        {
            using var scope = NewDisposeScope();
            using var _ = no_grad();
            var size = rand(1, generator: random).item<float>();
            var y0 = randn([3, 4], dtype: float64, generator: random).add(0.1);
            Func<Tensor, Tensor, Tensor> f = (i % 5) switch
            {
                // stiff: a rate of 1e7 and more
                0 => (t, y) => y.sub(t.cos().unsqueeze(1)).mul(-1e7 * (1 + size)),
                1 => (t, y) => y.sin().sub(y.mul(1e8 * (1 + size))),
                // growth without bound in finite time
                2 => (_, y) => y.pow(2).add(1).mul(1 + size),
                3 => (_, y) => y.pow(3).mul(20 * (1 + size)),
                // a slope that has no value behind a time
                _ => (t, y) => y.mul(t.neg().add(0.2 + (0.5 * size)).log().unsqueeze(1)),
            };
            long calls = 0;
            var method = (OdeMethod)(i % 3);
            var act = () => OdeSolver.Solve((t, y) => { calls++; return f(t, y); }, y0, 0, 4, new() { Method = method, MaxSteps = 3000 });
            var error = act.Should().Throw<OdeException>("dynamics {0}", i).Which;
            error.Time.Should().BeInRange(0, 4);
            error.Message.Should().Contain("example").And.Contain("component");
            calls.Should().BeLessThan((3000 * 7) + 10);
        }
    }

    [Fact]
    public void A_state_that_is_not_finite_at_the_start_is_named()
    {
        using var scope = NewDisposeScope();
        var y0 = tensor([1.0, double.NaN], [2, 1], float64);
        var error = Throws(() => OdeSolver.Solve((_, y) => y.neg(), y0, 0, 1));
        (error.Failure, error.Example, error.Time).Should().Be((OdeFailure.NotFinite, 1, 0));
    }

    [Fact]
    public void Wrong_arguments_are_refused_with_a_word()
    {
        using var scope = NewDisposeScope();
        var y0 = ones(2, 3, dtype: float64);
        Tensor F(Tensor t, Tensor y) => y.neg();
        Refused(() => OdeSolver.Solve(F, ones(2, 3, dtype: int64), 0, 1), "floating-point");
        Refused(() => OdeSolver.Solve(F, y0, 0, double.NaN), "finite");
        Refused(() => OdeSolver.Solve(F, y0, [0, 1, 0.5]), "rise");
        Refused(() => OdeSolver.Solve(F, y0, [0]), "two");
        Refused(() => OdeSolver.Solve((t, y) => y.sum(1), y0, 0, 1), "shape");
        Refused(() => OdeSolver.Solve((t, y) => y.to(float32), y0, 0, 1), "Float32");
        Refused(() => OdeSolver.Solve(F, y0, 0, 1, new() { ErrorWeights = [1, 0] }), "3 components");
        Refused(() => OdeSolver.Solve(F, y0, 0, 1, new() { MaxSteps = 0 }), "MaxSteps");
        Refused(() => OdeSolver.Solve(F, y0, 0, 1, new() { AbsoluteTolerance = 0, RelativeTolerance = 0 }), "both 0");
        Refused(() => OdeSolver.Solve(F, y0, 0, 1, new() { FirstStep = -1 }), "FirstStep");
        Refused(() => OdeSolver.Solve((_, y, _) => y, y0, ones(3, 1), 0, 1), "context");
    }

    private static void Refused(Action action, string word) =>
        action.Should().Throw<ArgumentException>().Which.Message.Should().Contain(word);

    private static OdeException Throws(Action action) => action.Should().Throw<OdeException>().Which;
}
