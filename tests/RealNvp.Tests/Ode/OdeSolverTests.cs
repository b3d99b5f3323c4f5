using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Ode;

[LeavesNoTensors]
public class OdeSolverTests
{
    public static TheoryData<OdeMethod> Adaptive => [OdeMethod.Dopri5, OdeMethod.Tsit5, OdeMethod.Bosh3];

    [Theory]
    [InlineData(OdeMethod.Euler, 1), InlineData(OdeMethod.Midpoint, 2), InlineData(OdeMethod.Rk4, 4),
        InlineData(OdeMethod.Rk4ThreeEighths, 4)]
    public void The_error_of_equal_steps_shrinks_with_the_order_of_the_method(OdeMethod method, int order)
    {
        var errors = new[] { 64, 128 }.Select(steps => SwingError(new() { Method = method, Steps = steps }, 2)).ToArray();
        Math.Log2(errors[0] / errors[1]).Should().BeApproximately(order, 0.25);
    }

    [Theory]
    [InlineData(OdeMethod.Dopri5, 5), InlineData(OdeMethod.Tsit5, 5), InlineData(OdeMethod.Bosh3, 3)]
    public void The_error_of_an_adaptive_method_with_equal_steps_shrinks_with_its_order(OdeMethod method, int order)
    {
        // one step from one time to the next, whatever its error
        double Error(int steps)
        {
            using var scope = NewDisposeScope();
            var y = Start();
            for (var i = 0; i < steps; i++)
            {
                var options = new OdeOptions { Method = method, FirstStep = 1, AbsoluteTolerance = 1e9 };
                y = OdeSolver.Solve(Problems.Swing, y, 2.0 * i / steps, 2.0 * (i + 1) / steps, options).Value;
            }
            return Distance(y, 2);
        }
        Math.Log2(Error(32) / Error(64)).Should().BeApproximately(order, 0.3);
    }

    [Theory, MemberData(nameof(Adaptive))]
    public void Adaptive_steps_reach_the_tolerance(OdeMethod method)
    {
        foreach (var tolerance in method == OdeMethod.Bosh3 ? new[] { 1e-3, 1e-5, 1e-7 } : [1e-4, 1e-7, 1e-10])
            SwingError(new() { Method = method, AbsoluteTolerance = tolerance, RelativeTolerance = tolerance }, 3).Should()
                .BeLessThan(60 * tolerance);
    }

    [Theory, MemberData(nameof(Adaptive))]
    public void The_dense_output_is_as_exact_as_the_steps(OdeMethod method)
    {
        using var scope = NewDisposeScope();
        var times = Enumerable.Range(0, 41).Select(i => i * 0.1).ToArray();
        foreach (var tolerance in method == OdeMethod.Bosh3 ? new[] { 1e-4, 1e-6 } : [1e-5, 1e-9])
        {
            var solution = OdeSolver.Solve(Problems.Swing, Start(), times, new() { Method = method, AbsoluteTolerance = tolerance,
                RelativeTolerance = tolerance });
            solution.Value.shape.Should().Equal(41, 1, 2);
            for (var i = 0; i < times.Length; i++)
                Distance(solution.Value[i], times[i]).Should().BeLessThan(100 * tolerance, "t = {0}", times[i]);
        }
    }

    [Theory, InlineData(OdeMethod.Dopri5, 4), InlineData(OdeMethod.Tsit5, 4), InlineData(OdeMethod.Bosh3, 3)]
    public void The_error_of_the_dense_output_within_a_step_shrinks_with_the_order_that_the_method_gives_it(OdeMethod method, int order)
    {
        // one step of length h, whatever its error: within it the error is of one order more
        double Error(double h)
        {
            using var scope = NewDisposeScope();
            double[] times = [0, 0.3 * h, 0.6 * h, h];
            var options = new OdeOptions { Method = method, FirstStep = 1, AbsoluteTolerance = 1e9 };
            var solution = OdeSolver.Solve(Problems.Swing, Start(), times, options);
            solution.Statistics.Accepted[0].Should().Be(1);
            return Math.Max(Distance(solution.Value[1], times[1]), Distance(solution.Value[2], times[2]));
        }
        Math.Log2(Error(0.1) / Error(0.05)).Should().BeInRange(order + 0.7, order + 2);
    }

    [Theory, InlineData(OdeMethod.Rk4), InlineData(OdeMethod.Midpoint), InlineData(OdeMethod.Euler)]
    public void Steps_of_one_size_give_the_times_between_too(OdeMethod method)
    {
        using var scope = NewDisposeScope();
        double[] times = [0, 0.333, 1.777, 2.5, 3];
        var solution = OdeSolver.Solve(Problems.Swing, Start(), times, new() { Method = method, Steps = 400 });
        var worst = Enumerable.Range(0, 5).Max(i => Distance(solution.Value[i], times[i]));
        worst.Should().BeLessThan(2 * Distance(OdeSolver.Solve(Problems.Swing, Start(), 0, 3, new() { Method = method, Steps = 400 }).Value,
            3) + 1e-7);
    }

    [Theory, InlineData(OdeMethod.Dopri5), InlineData(OdeMethod.Rk4)]
    public void Backwards_in_time_undoes_forwards(OdeMethod method)
    {
        using var scope = NewDisposeScope();
        var options = new OdeOptions { Method = method, AbsoluteTolerance = 1e-10, RelativeTolerance = 1e-10, Steps = 1000 };
        var there = OdeSolver.Solve(Problems.Swing, Start(), 0.5, 3, options).Value;
        var back = OdeSolver.Solve(Problems.Swing, there, 3, 0.5, options).Value;
        back.sub(Start()).abs().max().item<double>().Should().BeLessThan(1e-8);
        var all = OdeSolver.Solve(Problems.Swing, there, [3, 2, 1.5, 0.5], options).Value;
        all[3].sub(Start()).abs().max().item<double>().Should().BeLessThan(1e-8);
        all[0].sub(there).abs().max().item<double>().Should().Be(0);
    }

    [Fact]
    public void Float32_is_solved_in_float32_and_to_its_digits()
    {
        using var scope = NewDisposeScope();
        var solution = OdeSolver.Solve(Problems.Swing, Start().to(float32), 0, 3,
            new() { AbsoluteTolerance = 1e-12, RelativeTolerance = 1e-12 });
        solution.Value.dtype.Should().Be(float32);
        Distance(solution.Value.to(float64), 3).Should().BeLessThan(1e-4);
        solution.Statistics.Accepted[0].Should().BeLessThan(500, "tolerances below the digits of float32 ask for no more steps");
    }

    [Fact]
    public void Examples_have_steps_of_their_own_and_take_the_ones_they_would_take_alone()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(3);
        var y0 = randn([7, 3], dtype: float64, generator: generator).mul(8);
        var options = new OdeOptions { AbsoluteTolerance = 1e-6, RelativeTolerance = 1e-6 };
        var all = OdeSolver.Solve(Problems.Lorenz, y0, 0, 2, options);
        all.Statistics.Accepted.Distinct().Count().Should().BeGreaterThan(2);
        for (var i = 0; i < 7; i++)
        {
            var alone = OdeSolver.Solve(Problems.Lorenz, y0.narrow(0, i, 1), 0, 2, options);
            alone.Statistics.Accepted[0].Should().Be(all.Statistics.Accepted[i]);
            alone.Statistics.Rejected[0].Should().Be(all.Statistics.Rejected[i]);
            alone.Value[0].eq(all.Value[i]).all().item<bool>().Should().BeTrue("the bits of example {0} do not depend on its batch", i);
        }
    }

    [Fact]
    public void Examples_that_are_done_leave_the_batch_with_their_context()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var speed = tensor([1.0, 30.0], float64).unsqueeze(1);
        List<long> sizes = [];
        var solution = OdeSolver.Solve((t, y, c) =>
        {
            sizes.Add(y.shape[0]);
            return y.mul(c!).neg();
        }, ones(2, 1, dtype: float64), speed, 0, 1);
        sizes.Should().Contain(2).And.Contain(1);
        sizes.Should().BeInDescendingOrder();
        solution.Value[0, 0].item<double>().Should().BeApproximately(Math.Exp(-1), 1e-5);
        solution.Value[1, 0].item<double>().Should().BeApproximately(Math.Exp(-30), 1e-5);
        solution.Statistics.Evaluations.Should().Be(sizes.Count);
    }

    [Fact]
    public void A_component_with_weight_0_does_not_choose_the_steps()
    {
        using var scope = NewDisposeScope();
        Tensor F(Tensor t, Tensor y) => stack([y.select(1, 0).neg(), t.mul(200).sin()], 1);
        var y0 = ones(1, 2, dtype: float64);
        var both = OdeSolver.Solve(F, y0, 0, 1).Statistics.Accepted[0];
        var one = OdeSolver.Solve(F, y0, 0, 1, new() { ErrorWeights = [1, 0] }).Statistics.Accepted[0];
        var alone = OdeSolver.Solve((_, y) => y.neg(), y0.narrow(1, 0, 1), 0, 1, new() { Norm = OdeNorm.Maximum }).Statistics.Accepted[0];
        one.Should().Be(alone).And.BeLessThan(both / 5);
    }

    [SlowFact]
    public void Van_der_Pol_with_mu_5_Lorenz_to_10_and_the_Arenstorf_orbit_are_solved_to_tolerance()
    {
        using var scope = NewDisposeScope();
        foreach (var method in new[] { OdeMethod.Dopri5, OdeMethod.Tsit5 })
        {
            OdeOptions Options(double tolerance) => new() { Method = method, AbsoluteTolerance = tolerance, RelativeTolerance = tolerance };
            double Error(Func<Tensor, Tensor, Tensor> f, Tensor y0, double end, double tolerance) =>
                OdeSolver.Solve(f, y0, 0, end, Options(tolerance)).Value.sub(OdeSolver.Solve(f, y0, 0, end,
                    Options(1e-12)).Value).abs().max().item<double>();
            Error(Problems.VanDerPol(5), tensor([2.0, 0], [1, 2], float64), 20, 1e-7).Should().BeLessThan(1e-4);
            // errors grow by about e⁹ until t = 10
            Error(Problems.Lorenz, tensor([1.0, 1, 1], [1, 3], float64), 10, 1e-10).Should().BeLessThan(1e-4);
        }
        var orbit = tensor(Problems.ArenstorfStart, [1, 4], float64);
        var back = OdeSolver.Solve(Problems.Arenstorf, orbit, 0, Problems.ArenstorfPeriod,
            new() { AbsoluteTolerance = 1e-11, RelativeTolerance = 1e-11 });
        back.Value.sub(orbit).narrow(1, 0, 2).abs().max().item<double>().Should().BeLessThan(1e-4);
    }

    [Fact]
    public void The_Arenstorf_orbit_comes_back_after_its_period()
    {
        using var scope = NewDisposeScope();
        var orbit = tensor(Problems.ArenstorfStart, [1, 4], float64);
        var options = new OdeOptions { AbsoluteTolerance = 1e-9, RelativeTolerance = 1e-9 };
        var back = OdeSolver.Solve(Problems.Arenstorf, orbit, 0, Problems.ArenstorfPeriod, options);
        back.Value.sub(orbit).narrow(1, 0, 2).abs().max().item<double>().Should().BeLessThan(1e-2);
    }

    [Fact]
    public void No_examples_and_no_time_are_solved_at_once()
    {
        using var scope = NewDisposeScope();
        OdeSolver.Solve(Problems.Swing, zeros(0, 2, dtype: float64), 0, 1).Value.shape.Should().Equal(0, 2);
        var same = OdeSolver.Solve(Problems.Swing, Start(), 1, 1);
        same.Value.eq(Start()).all().item<bool>().Should().BeTrue();
        same.Statistics.Evaluations.Should().Be(0);
    }

    internal static Tensor Start() => tensor([1.0, 0.0], [1, 2], float64);

    private static double SwingError(OdeOptions options, double end)
    {
        using var scope = NewDisposeScope();
        return Distance(OdeSolver.Solve(Problems.Swing, Start(), 0, end, options).Value, end);
    }

    private static double Distance(Tensor y, double t)
    {
        using var scope = NewDisposeScope();
        var (a, b) = Problems.SwingAt(t);
        return y.sub(tensor([a, b], [1, 2], float64)).abs().max().item<double>();
    }
}
