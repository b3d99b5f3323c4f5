using RealNvp.Kernels;
using RealNvp.Ode;
using RealNvp.Operations;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Kernels;

/// <summary>Whole solves of continuous flows by the kernel against the same solves step by step in plain operations.</summary>
[LeavesNoTensors]
public class DynamicsKernelTests
{
    private static readonly SmoothActivation[] activations = Enum.GetValues<SmoothActivation>();

    [Theory, InlineData(0), InlineData(128), InlineData(256), InlineData(512)]
    public void Kernel_and_plain_operations_take_the_same_steps_to_the_same_values(int bits)
    {
        using var width = Lanes(bits);
        var random = new Random(bits + 1);
        for (var i = 0; i < 24; i++)
        {
            var (features, rows) = (random.Next(1, 8), new[] { 1, 3, 16, 17, 40 }[random.Next(5)]);
            var context = random.Next(2) * 3;
            var options = new ContinuousOptions[]
            {
                new() { Tolerance = 1e-5 }, new() { Tolerance = 1e-4, Method = OdeMethod.Tsit5 },
                new() { Tolerance = 1e-3, Method = OdeMethod.Bosh3 }, new() { Method = OdeMethod.Rk4, Steps = 5 },
                new() { Method = OdeMethod.Midpoint, Steps = 7 },
            }[i % 5];
            var (hidden, layers, activation) = (random.Next(1, 20), random.Next(1, 4), activations[random.Next(i % 5 >= 3 ? 5 : 3)]);
            Func<Dynamics> make = i % 2 == 0
                ? () => new ConcatSquashMlp(features, hidden, layers, context, activation)
                : () => new TimeMlp([features], hidden, layers, context, activation, timeFrequencies: i % 3);
            using var scope = NewDisposeScope();
            using var layer = Awake(make(), features, options, i);
            using var generator = new Generator((ulong)i);
            var x = randn([rows, features], dtype: float32, generator: generator);
            var given = context == 0 ? null : randn([rows, context], dtype: float32, generator: generator);
            var what = $"case {i}: {layer.Dynamics.GetName()} of {features} features, {hidden} x {layers}, {activation}, {options.Method}";
            var (fast32, plain32) = (Solved(layer, x, given, on: true), Solved(layer, x, given, on: false));
            layer.to(float64);
            (x, given) = (x.to(float64), given?.to(float64));
            var (fast, plain) = (Solved(layer, x, given, on: true), Solved(layer, x, given, on: false));
            // elu and selu have kinks: an error that is estimated across one changes by all of itself with a rounding, and so
            // do the steps that it chooses (some 1e-6 at a tolerance of 1e-8; steps of one size agree to 1e-15 as all others)
            var hasKinks = activation > SmoothActivation.Silu;
            // in float32 rounding chooses steps
            var comparesFloat32 = i % 5 >= 3 && !hasKinks;
            for (var k = 0; k < (i % 5 >= 3 ? 2 : 3); k++)
            {
                Apart(fast.Tensors[k], plain.Tensors[k]).Should().BeLessThan(1e-8, what);
                if (!comparesFloat32) continue;
                Apart(fast32.Tensors[k], plain.Tensors[k]).Should()
                    .BeLessThan((4 * Apart(plain32.Tensors[k], plain.Tensors[k])) + 1e-4, what);
            }
            fast.Statistics.Accepted.Should().Equal(plain.Statistics.Accepted, what);
            fast.Statistics.Rejected.Should().Equal(plain.Statistics.Rejected, what);
            fast.Statistics.Evaluations.Should().Be(plain.Statistics.Evaluations, what);
        }
    }

    [Theory, InlineData(0), InlineData(128), InlineData(256), InlineData(512)]
    public void Gradients_are_those_of_plain_operations(int bits)
    {
        using var width = Lanes(bits);
        var random = new Random(bits + 2);
        for (var i = 0; i < 16; i++)
        {
            var (features, rows) = (random.Next(1, 6), new[] { 1, 3, 16, 37 }[random.Next(4)]);
            var context = random.Next(2) * 3;
            var options = new ContinuousOptions[]
            {
                new() { Tolerance = 1e-5 }, new() { Tolerance = 1e-4, Method = OdeMethod.Tsit5 },
                new() { Tolerance = 1e-3, Method = OdeMethod.Bosh3 }, new() { Method = OdeMethod.Rk4, Steps = 3 },
                new() { Method = OdeMethod.Midpoint, Steps = 3 },
            }[i % 5];
            var (hidden, layers, activation) = (random.Next(1, 12), random.Next(1, 4), activations[random.Next(i % 5 >= 3 ? 5 : 3)]);
            Func<Dynamics> make = i % 2 == 0
                ? () => new ConcatSquashMlp(features, hidden, layers, context, activation)
                : () => new TimeMlp([features], hidden, layers, context, activation, timeFrequencies: i % 3);
            using var scope = NewDisposeScope();
            using var layer = Awake(make(), features, options, i);
            var what = $"case {i}: {layer.Dynamics.GetName()} of {features} features, {hidden} x {layers}, {activation}, {options.Method}";
            using var generator = new Generator((ulong)i);
            Tensor[] parts = [randn([rows, features], dtype: float64, generator: generator),
                randn([rows, features], dtype: float64, generator: generator), randn([rows], dtype: float64, generator: generator),
                randn([rows, 3], dtype: float64, generator: generator)];
            Tensor[] Run(ScalarType dtype, bool on)
            {
                layer.to(dtype);
                return Gradients(layer, [.. parts.Select(p => p.to(dtype))], context > 0, on);
            }
            var (fast32, plain32) = (Run(float32, true), Run(float32, false));
            var (fast, plain) = (Run(float64, true), Run(float64, false));
            // a step that is chosen differs by some roundings of a small difference, and the result by that part of its error; elu and
            // selu have kinks, so they take steps of one size: see above
            var allowed = i % 5 < 3 ? 1e-6 : 1e-11;
            for (var k = 0; k < fast.Length; k++)
            {
                KernelResults.ApartOfLargest(fast[k], plain[k]).Should().BeLessThan(allowed, "of gradient {0} in {1}", k, what);
                fast32[k].isfinite().all().item<bool>().Should().BeTrue();
                if (allowed > 1e-9 || activation > SmoothActivation.Silu) continue;
                KernelResults.ApartOfLargest(fast32[k], plain[k]).Should().BeLessThan(
                    (4 * KernelResults.ApartOfLargest(plain32[k], plain[k])) + 2e-4, "of gradient {0} in {1}", k, what);
            }
        }
    }

    [Fact]
    public void The_number_of_threads_changes_no_bit_and_neither_does_the_company()
    {
        using var scope = NewDisposeScope();
        using var layer = Awake(new ConcatSquashMlp(2, 24, 2), 2, new() { Tolerance = 1e-4 }, 1);
        using var generator = new Generator(2);
        Tensor[] parts = [randn([200, 2], generator: generator), randn([200, 2], generator: generator), randn([200], generator: generator)];
        var threads = get_num_threads();
        try
        {
            Tensor[] Run(int count)
            {
                set_num_threads(count);
                return Gradients(layer, parts, false, on: true);
            }
            foreach (var (one, two) in Run(1).Zip(Run(2))) KernelResults.Same(one, two).Should().BeTrue();
        }
        finally { set_num_threads(threads); }
        using var _ = no_grad();
        var (all, logDets) = layer.Forward(parts[0]);
        var (some, few) = layer.Forward(parts[0].narrow(0, 77, 5));
        KernelResults.Same(all.narrow(0, 77, 5), some).Should().BeTrue();
        KernelResults.Same(logDets.narrow(0, 77, 5), few).Should().BeTrue();
    }

    [Fact]
    public void States_beyond_the_budget_leave_the_walk_to_those_who_keep_fewer()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(2);
        Tensor[] parts = [.. new long[][] { [9, 2], [9, 2], [9] }.Select(s => randn(s, dtype: float64, generator: generator))];
        using var first = Awake(new ConcatSquashMlp(2, 8, 2), 2, new() { Tolerance = 1e-6 }, 1);
        Tensor[] Run(long budget, bool on)
        {
            using var layer = new ContinuousLayer(new ConcatSquashMlp(2, 8, 2), [2], new() { Tolerance = 1e-6, MemoryBudget = budget });
            layer.load_state_dict(first.state_dict());
            layer.to(float64);
            layer.eval();
            return Gradients(layer, parts, false, on);
        }
        // 8 bytes hold no state: those who keep fewer do exactly what they do without the kernel
        foreach (var (few, plain) in Run(8, on: true).Zip(Run(8, on: false))) KernelResults.Same(few, plain).Should().BeTrue();
        foreach (var (all, few) in Run(1 << 20, on: true).Zip(Run(8, on: true)))
            KernelResults.ApartOfLargest(few, all).Should().BeLessThan(1e-6);
    }

    [Fact]
    public void A_solve_ends_as_soon_as_its_steps_are_beyond_the_budget()
    {
        using var scope = NewDisposeScope();
        using var layer = Awake(new ConcatSquashMlp(2, 8, 2), 2, new() { Tolerance = 1e-9 }, 1);
        layer.to(float64);
        var start = cat([randn([60, 2], dtype: float64), zeros([60, 1], dtype: float64)], 1);
        var plan = new OdePlan(new() { AbsoluteTolerance = 1e-9, RelativeTolerance = 1e-9 }, [0, 1], 3, float64);
        DynamicsRun Run(long budget) => DynamicsOperation.Solve(layer.Dynamics.Network!, start, null,
            plan.Tableau.Scheme, plan.Control, null, records: true, budget);
        var all = Run(long.MaxValue);
        all.Recorded.Should().Be(all.Accepted.Sum() * 3 * sizeof(double));
        Run(all.Recorded).IsOverBudget.Should().BeFalse();
        var part = Run(all.Recorded / 10);
        part.IsOverBudget.Should().BeTrue();
        part.Taken.Should().BeNull();
        part.Failed.Should().BeNull();
        // as far as the step that went beyond
        part.Recorded.Should().BeInRange(all.Recorded / 10, (all.Recorded / 10) + (60 * 3 * sizeof(double)));
    }

    [Fact]
    public void What_a_solve_allocates_does_not_grow_with_its_steps()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var threads = get_num_threads();
        try
        {
            // each of our own threads counts for itself
            set_num_threads(1);
            var x = randn(100, 2);
            var found = new int[] { 5, 500 }.Select(steps =>
            {
                using var layer = Awake(new ConcatSquashMlp(2, 16, 2), 2, new() { Method = OdeMethod.Rk4, Steps = steps }, 1);
                long Bytes()
                {
                    using var inner = NewDisposeScope();
                    var before = GC.GetAllocatedBytesForCurrentThread();
                    layer.Forward(x);
                    return GC.GetAllocatedBytesForCurrentThread() - before;
                }
                Bytes();
                return Enumerable.Range(0, 4).Min(_ => Bytes());
            }).ToArray();
            found[1].Should().Be(found[0], "bytes of 500 steps and of 5");
        }
        finally { set_num_threads(threads); }
    }

    [Fact]
    public void Failures_and_step_limits_are_named_as_by_plain_operations()
    {
        using var scope = NewDisposeScope();
        using var layer = Awake(new ConcatSquashMlp(2, 8, 1), 2, new() { Tolerance = 1e-9, MaxSteps = 2 }, 1);
        layer.to(float64);
        var x = randn([40, 2], dtype: float64, generator: new Generator(4)).mul(10);
        foreach (var gradients in new[] { true, false })
        {
            OdeException Fail(bool on)
            {
                using var _ = KernelSwitch.Set(on, nameof(KernelSwitches.Dynamics));
                using var mode = gradients ? null : no_grad();
                return ((Action)(() => layer.Forward(x))).Should().Throw<OdeException>().Which;
            }
            var (fast, plain) = (Fail(true), Fail(false));
            (fast.Failure, fast.Example, fast.Component).Should().Be((plain.Failure, plain.Example, plain.Component));
            fast.Time.Should().BeApproximately(plain.Time, 1e-6);
            fast.Failure.Should().Be(OdeFailure.TooManySteps);
        }
        using (no_grad()) layer.parameters().First().fill_(double.NaN);
        ((Action)(() => layer.Forward(x))).Should().Throw<OdeException>().Which.Failure.Should().Be(OdeFailure.NotFinite);
    }

    // value, log-determinant, and the gradients of x, context and weights
    private static Tensor[] Gradients(ContinuousLayer layer, Tensor[] parts, bool hasContext, bool on)
    {
        using var _ = KernelSwitch.Set(on, nameof(KernelSwitches.Dynamics));
        layer.zero_grad();
        var x = parts[0].clone().requires_grad_(true);
        var context = hasContext ? parts[3].clone().requires_grad_(true) : null;
        var (value, logDet) = layer.Forward(x, context);
        value.mul(parts[1]).sum().add(logDet.mul(parts[2]).sum()).backward();
        return [value.detach(), logDet.detach(), x.grad!, .. context is null ? [] : new[] { context.grad! },
            .. layer.parameters().Select(p => p.grad?.clone() ?? zeros_like(p))];
    }

    private static (Tensor[] Tensors, OdeStatistics Statistics) Solved(ContinuousLayer layer, Tensor x, Tensor? context,
        bool on)
    {
        using var _ = KernelSwitch.Set(on, nameof(KernelSwitches.Dynamics));
        using var gradients = no_grad();
        var (value, logDet) = layer.Forward(x, context);
        var statistics = layer.LastStatistics!;
        using var solver = RealNvp.Layers.PassState.SolveBy(new OdeOptions { AbsoluteTolerance = 1e-5, RelativeTolerance = 1e-5 });
        return ([value, logDet, layer.Inverse(x, context).Value], statistics);
    }

    private static double Apart(Tensor a, Tensor b) => a.sub(b).abs().div(b.abs().clamp_min(1)).max().to(float64).item<double>();

    private static Undo Lanes(int bits)
    {
        var before = LaneWidth.Bits;
        LaneWidth.Bits = bits;
        return new Undo(() => LaneWidth.Bits = before);
    }

    private static ContinuousLayer Awake(Dynamics dynamics, long features, ContinuousOptions options, int seed)
    {
        var layer = new ContinuousLayer(dynamics, [features], options);
        RandomWeights.Draw(layer, seed, 0.4);
        layer.eval();
        return layer;
    }

    private sealed class Undo(Action action) : IDisposable
    {
        public void Dispose() => action();
    }
}
