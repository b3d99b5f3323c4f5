using RealNvp.Tests.Golden;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp.Tests.Ode;

public class OdeGradientTests
{
    public static TheoryData<OdeGradient> Ways =>
        [OdeGradient.Automatic, OdeGradient.Graph, OdeGradient.Checkpointed, OdeGradient.Reversible, OdeGradient.Adjoint];

    [Theory, MemberData(nameof(Ways)), LeavesNoTensors]
    public void Gradients_of_a_network_equal_those_of_a_very_fine_solution(OdeGradient way)
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile("torchdiffeq_net_2d");
        using var net = new Net(golden);
        var t = golden["t"].data<double>().ToArray();
        var y0 = golden["y0"].clone().requires_grad_(true);
        var options = new OdeOptions { AbsoluteTolerance = 1e-10, RelativeTolerance = 1e-10, Gradient = way };
        var end = OdeSolver.Solve(net, y0, t[0], t[^1], options).Value;
        end.mul(golden["cotangent"]).sum().backward();
        OdeGoldenTests.Distance(end.detach(), golden["exact_or_reference"][^1]).Should().BeLessThan(2e-9);
        Close(y0.grad!, golden["reference/grad_y0"]);
        foreach (var (name, parameter) in net.named_parameters()) Close(parameter.grad!, golden["reference/grad/" + name]);
    }

    [Theory, InlineData(OdeGradient.Graph), InlineData(OdeGradient.Checkpointed), LeavesNoTensors]
    public void The_gradient_is_that_of_the_steps_that_were_taken(OdeGradient way)
    {
        // loose steps: the gradient of the exact solution would be far away
        using var scope = NewDisposeScope();
        var rate = tensor(1.7, dtype: float64).requires_grad_(true);
        var context = tensor([0.5, 2.0, 5.0], [3, 1], float64).requires_grad_(true);
        var y0 = tensor([1.0, 0, 0.3, 1, -1, 2], [3, 2], float64).requires_grad_(true);
        Tensor F(Tensor t, Tensor y, Tensor? c) => y.mul(c!).mul(rate).add(t.unsqueeze(1)).sin();
        foreach (var options in new OdeOptions[] { new() { Method = OdeMethod.Rk4, Steps = 5 },
            new() { Method = OdeMethod.Euler, Steps = 7 }, new() { Method = OdeMethod.Bosh3, FirstStep = 0.3, AbsoluteTolerance = 1e3 } })
        {
            double Loss(double r, Tensor c, Tensor y)
            {
                using var _ = no_grad();
                using var inner = NewDisposeScope();
                return OdeSolver.Solve((t, y, c) => y.mul(c!).mul(r).add(t.unsqueeze(1)).sin(), y, c, 0, 1.5,
                    options).Value.pow(2).sum().item<double>();
            }
            foreach (var leaf in new[] { rate, context, y0 }) leaf.grad = null;
            OdeSolver.Solve(F, y0, context, 0, 1.5, options with { Gradient = way }, [rate]).Value.pow(2).sum().backward();
            const double h = 1e-6;
            var step = zeros_like(context);
            step[1, 0] = h;
            var other = zeros_like(y0);
            other[2, 1] = h;
            var (c, y) = (context.detach(), y0.detach());
            rate.grad!.item<double>().Should().BeApproximately((Loss(1.7 + h, c, y) - Loss(1.7 - h, c, y)) / (2 * h), 1e-7);
            context.grad![1, 0].item<double>().Should().BeApproximately((Loss(1.7, c.add(step), y) - Loss(1.7, c.sub(step), y)) / (2 * h),
                1e-7);
            y0.grad![2, 1].item<double>().Should().BeApproximately((Loss(1.7, c, y.add(other)) - Loss(1.7, c, y.sub(other))) / (2 * h),
                1e-7);
        }
    }

    [Theory, InlineData(0L), InlineData(100L), InlineData(400L), LeavesNoTensors]
    public void A_small_budget_of_memory_gives_the_same_gradient(long budget)
    {
        using var scope = NewDisposeScope();
        Tensor Gradient(long bytes)
        {
            var y0 = tensor([1.0, 1, 1, 5, -3, 20, 0, 2, 12], [3, 3], float64).requires_grad_(true);
            OdeSolver.Solve(Problems.Lorenz, y0, 0, 0.5, new() { Gradient = OdeGradient.Checkpointed, MemoryBudget = bytes },
                []).Value.sum().backward();
            return y0.grad!;
        }
        Close(Gradient(budget), Gradient(1 << 30), 1e-12);
    }

    [Fact, LeavesNoTensors]
    public void The_reversible_scheme_measures_its_drift_and_falls_back_to_stored_states()
    {
        using var scope = NewDisposeScope();
        var y0 = tensor([1.0, 1, 1, 5, -3, 20], [2, 3], float64);
        OdeOptions Options(double coupling) =>
            new() { Method = OdeMethod.Rk4, Steps = 100, Gradient = OdeGradient.Reversible, ReversibleCoupling = coupling };
        Tensor End(Tensor start, double coupling) =>
            OdeSolver.Solve(Problems.Lorenz, start.detach().requires_grad_(true), 0, 0.5, Options(coupling), []).Value;
        double Drift(double coupling)
        {
            var leaf = y0.clone().requires_grad_(true);
            OdeSolver.Solve(Problems.Lorenz, leaf, 0, 0.5, Options(coupling), []).Value.sum().backward();
            var drift = RealNvp.Ode.OdeReversibleFunction.LastDrift;
            var step = zeros_like(y0);
            step[1, 1] = 1e-5;
            var difference = End(y0.add(step), coupling).sum().sub(End(y0.sub(step), coupling).sum()).item<double>() / 2e-5;
            leaf.grad![1, 1].item<double>().Should().BeApproximately(difference, 1e-6 * Math.Max(1, Math.Abs(difference)));
            return drift;
        }
        Drift(0.999).Should().BeLessThan(1e-8);
        // 0.5⁻¹⁰⁰ is more than all digits
        var much = Drift(0.5);
        (much > 1e-3 || double.IsNaN(much)).Should().BeTrue();
    }

    // in the heap's own terms, and as the system sees it, where holes of freed memory count too
    [SlowTheory, InlineData(OdeGradient.Reversible), InlineData(OdeGradient.Adjoint), InlineData(OdeGradient.Checkpointed)]
    public void Ten_times_the_steps_need_no_more_memory(OdeGradient way)
    {
        if (NativeHeapUse.Now is null) Assert.Skip("The C library does not say how much of its heap is in use.");
        using var scope = NewDisposeScope();
        var w = full(256, -0.3f, dtype: float32).requires_grad_(true);
        var y0 = ones(4096, 256).requires_grad_(true);
        (long InUse, long Resident) Peak(int steps)
        {
            (w.grad, y0.grad) = (null, null);
            // states of every step would be 4 MiB each
            var options = new OdeOptions { Method = OdeMethod.Rk4, Steps = steps, Gradient = way, MemoryBudget = 16 << 20 };
            NativeHeapUse.Trim();
            var (start, most) = (NativeHeapUse.Now!.Value, 0L);
            var resident = ResidentMemory.PeakGrowth(() =>
            {
                using var inner = NewDisposeScope();
                OdeSolver.Solve((_, y) =>
                {
                    using var own = NewDisposeScope();
                    var slope = y.mul(w).tanh();
                    most = Math.Max(most, NativeHeapUse.Now!.Value - start);
                    return own.MoveToOuter(slope);
                }, y0, 0, 1, options, [w]).Value.sum().backward();
            });
            return (most, resident);
        }
        Peak(200);
        var (few, many) = (Peak(20), Peak(200));
        TestContext.Current.TestOutputHelper?.WriteLine($"{way}: {few} for 20 steps, {many} for 200");
        few.InUse.Should().BeGreaterThan(16 << 20);
        // the parts between kept states are computed again as a whole: as many states as there are steps in one
        var factor = way == OdeGradient.Checkpointed ? 6 : 1.1;
        ((double)many.InUse / few.InUse).Should().BeLessThanOrEqualTo(factor, "{0}: {1} and {2}", way, few, many);
        ((double)many.Resident / few.Resident).Should().BeLessThanOrEqualTo(factor, "{0}: {1} and {2}", way, few, many);
    }

    [Theory, MemberData(nameof(Ways)), LeavesNoTensors]
    public void All_times_have_a_gradient(OdeGradient way)
    {
        using var scope = NewDisposeScope();
        var rate = tensor(0.7, dtype: float64).requires_grad_(true);
        var values = OdeSolver.Solve((_, y) => y.mul(rate), ones(2, 1, dtype: float64), [0, 1, 2.5],
            new() { AbsoluteTolerance = 1e-10, RelativeTolerance = 1e-10, Gradient = way }, [rate]).Value;
        values.shape.Should().Equal(3, 2, 1);
        values.sum().backward();
        rate.grad!.item<double>().Should().BeApproximately(2 * (Math.Exp(0.7) + (2.5 * Math.Exp(1.75))), 1e-7);
    }

    [Fact, LeavesNoTensors]
    public void A_function_whose_parameters_nobody_named_is_differentiated_twice()
    {
        using var scope = NewDisposeScope();
        var rate = tensor(0.7, dtype: float64).requires_grad_(true);
        var end = OdeSolver.Solve((_, y) => y.mul(rate), ones(1, 1, dtype: float64), 0, 1,
            new() { AbsoluteTolerance = 1e-11, RelativeTolerance = 1e-11 }).Value.sum();
        var first = autograd.grad([end], [rate], retain_graph: true, create_graph: true)[0];
        first.item<double>().Should().BeApproximately(Math.Exp(0.7), 1e-8);
        autograd.grad([first], [rate])[0].item<double>().Should().BeApproximately(Math.Exp(0.7), 1e-7);
    }

    [Fact]
    public void Ways_that_must_know_the_parameters_ask_for_them()
    {
        using var scope = NewDisposeScope();
        var rate = tensor(0.7, dtype: float64).requires_grad_(true);
        var act = () =>
            OdeSolver.Solve((_, y) => y.mul(rate), ones(1, 1, dtype: float64), 0, 1, new() { Gradient = OdeGradient.Checkpointed });
        act.Should().Throw<ArgumentException>().Which.Message.Should().Contain("parameters").And.Contain("Graph");
    }

    private static void Close(Tensor ours, Tensor theirs, double tolerance = 1e-7)
    {
        ours.shape.Should().Equal(theirs.shape);
        ours.sub(theirs).abs().max().item<double>().Should().BeLessThan(tolerance * Math.Max(1, theirs.abs().max().item<double>()));
    }

    internal sealed class Net : nn.Module<Tensor, Tensor, Tensor>
    {
        private readonly Sequential layers;

        public Net(GoldenFile golden) : base(nameof(Net))
        {
            layers = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 2));
            RegisterComponents();
            this.to(float64);
            using var _ = no_grad();
            foreach (var (name, parameter) in named_parameters()) parameter.copy_(golden["weights/" + name]);
        }

        public override Tensor forward(Tensor t, Tensor y)
        {
            using var both = cat([y, t.unsqueeze(1)], 1);
            return layers.call(both);
        }

        public new IEnumerable<(string name, Parameter parameter)> named_parameters(bool recurse = true) =>
            base.named_parameters(recurse).Select(p => (p.name.Replace("layers.", "", StringComparison.Ordinal), p.parameter));
    }
}
