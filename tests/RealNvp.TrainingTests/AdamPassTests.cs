using RealNvp.Kernels;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training;

/// <summary>The pass over all parameters: threads, allocations, the moving
/// average in it, gradients that it cannot read as they are.</summary>
public sealed class AdamPassTests
{
    [Theory, InlineData(false), InlineData(true)]
    public void A_mean_of_a_dead_weight_ends_at_zero_and_not_among_the_denormal_numbers(bool isDouble)
    {
        if (isDouble) Ends(1e-300, 2.2250738585072014e-308);
        else Ends(1e-30f, 1.17549435e-38f);

        // a vector and a rest, whose last element is alive
        static unsafe void Ends<T>(T small, T least) where T : unmanaged, System.Numerics.IBinaryFloatingPointIeee754<T>
        {
            const int Count = 19;
            T* numbers = stackalloc T[4 * Count];
            T* p = numbers, g = numbers + Count, m = numbers + (2 * Count), v = numbers + (3 * Count);
            for (var i = 0; i < Count; i++) (p[i], g[i], m[i], v[i]) = (T.One, T.Zero, i % 2 == 0 ? small : -small, T.One);
            g[Count - 1] = T.One;
            m[1] = T.NaN;
            var block = new AdamBlock { IsDouble = typeof(T) == typeof(double), Length = Count, Parameter = p, Gradient = g, Average = m,
                Square = v, Step = new(0.9, 0.999, 1e-8, 0, 1, 1e-3, 1) };
            for (var step = 0; step < 500; step++)
            {
                AdamKernel.Apply<T>(block, 0, Count);
                for (var i = 0; i < Count; i++) (m[i] == T.Zero || !(T.Abs(m[i]) < least)).Should().BeTrue("of element {0}", i);
            }
            for (var i = 0; i < Count - 1; i++)
                if (i != 1) m[i].Should().Be(T.Zero);
            T.IsNaN(m[1]).Should().BeTrue("a number that is none is no small number");
            (m[Count - 1] > T.CreateChecked(0.9)).Should().BeTrue();
        }
    }

    [Fact]
    public void A_fused_step_allocates_nothing()
    {
        using var net = nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64));
        using var x = randn(3, 64);
        using (NewDisposeScope()) net.call(x).sum().backward();
        using var adam = new AdamOptimizer(net);
        using var average = new WeightAverage(net);
        void Step()
        {
            adam.Step(1e-3, 1);
            adam.StepAndAverage(1e-3, 1, average);
            average.Update();
        }
        Least(Step).Should().Be(0);
        adam.ZeroGradients();
        Least(adam.ZeroGradients).Should().Be(0);
    }

    // the least of five hundreds: the runtime itself allocates a little, once, when it compiles a method again
    private static long Least(Action action) => Enumerable.Range(0, 5).Min(_ =>
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++) action();
        return GC.GetAllocatedBytesForCurrentThread() - before;
    });

    [Theory, InlineData(ScalarType.Float32), InlineData(ScalarType.Float64)]
    public void Results_are_the_same_bit_for_bit_for_any_number_of_threads(ScalarType type)
    {
        using var scope = NewDisposeScope();
        var threads = get_num_threads();
        try
        {
            var norms = new List<double>();
            byte[][] Train(int count)
            {
                set_num_threads(count);
                manual_seed(1);
                var p = new[] { nn.Parameter(randn(700, 501, type)), nn.Parameter(randn(3, type)), nn.Parameter(randn(4096, type)) };
                using var adam = new AdamOptimizer([new ParameterGroup(p.Select((q, i) => ($"p{i}", q)))]);
                for (var step = 0; step < 20; step++)
                {
                    foreach (var q in p) q.grad = randn_like(q).detach();
                    norms.Add(adam.Step(0.01, 1));
                }
                return [.. p.Select(q => q.bytes.ToArray())];
            }
            var (one, two) = (Train(1), Train(2));
            for (var i = 0; i < one.Length; i++) two[i].Should().Equal(one[i]);
            norms[20..].Should().Equal(norms[..20]);
            norms[0].Should().BeApproximately(Math.Sqrt(700 * 501), 5, "else the test proves nothing");
        }
        finally
        {
            set_num_threads(threads);
        }
    }

    [Fact]
    public void The_average_within_a_step_is_that_after_a_step()
    {
        using var scope = NewDisposeScope();
        using var one = new Mixed();
        using var two = new Mixed();
        using AdamOptimizer adam1 = new(Trainable(one)), adam2 = new(Trainable(two));
        using WeightAverage average1 = new(one, 0.9), average2 = new(two, 0.9);
        for (var step = 0; step < 12; step++)
        {
            foreach (var net in new[] { one, two })
            {
                manual_seed(step);
                foreach (var (name, p) in net.named_parameters())
                    p.grad = !p.requires_grad || (name == "sometimes" && step % 3 == 0) ? null : randn(p.shape).to(p.dtype);
                using (no_grad()) net.statistics.add_(1);
            }
            adam1.Step(0.01, 1);
            average1.Update();
            adam2.StepAndAverage(0.01, 1, average2);
        }
        Dictionary<string, Tensor> expected = average1.StateDict(), actual = average2.StateDict();
        actual.Should().HaveCount(8);
        foreach (var (name, value) in expected) Same(actual[name], value).Should().BeTrue(name);
        foreach (var (name, value) in one.state_dict()) Same(two.state_dict()[name], value).Should().BeTrue(name);
        actual["average.plain"].allclose(two.plain, 0, 1e-6).Should().BeFalse("else the test proves nothing");

        two.plain.grad = full_like(two.plain, float.NaN);
        double.IsNaN(adam2.StepAndAverage(0.01, null, average2)).Should().BeTrue();
        average2.Updates.Should().Be(12, "a refused step is not averaged");
        using (average2.Apply())
        {
            var step = () => adam2.StepAndAverage(0.01, null, average2);
            step.Should().Throw<InvalidOperationException>().WithMessage("*Dispose the result of Apply()*");
        }
        adam2.StepCount.Should().Be(12);
    }

    [Fact]
    public void Gradients_that_do_not_fit_are_refused_before_anything_changes()
    {
        using var scope = NewDisposeScope();
        Parameter first = nn.Parameter(ones(4)), second = nn.Parameter(ones(4, 3));
        using var adam = new AdamOptimizer([new ParameterGroup([("first", first), ("second", second)])]);
        first.grad = ones(4);
        var indices = tensor(new long[] { 0, 2 }).reshape(1, 2);
        foreach (var (gradient, message) in new[]
        {
            (ones(3), "*gradient of 'second' is Float32 (3,)*Float32 (4, 3)*"),
            (ones(4, 3, float64), "*gradient of 'second' is Float64 (4, 3)*"),
            (sparse_coo_tensor(indices, ones(2, 3), [4, 3], float32), "*'second' has a sparse gradient*"),
        })
        {
            second.grad = gradient;
            var step = () => adam.Step(0.1);
            step.Should().Throw<InvalidOperationException>().WithMessage(message);
        }
        first.equal(1).all().ToBoolean().Should().BeTrue();
        second.grad = ones(4, 3);
        adam.Step(0.1);
        adam.StepCount.Should().Be(1);
        first.lt(1).all().ToBoolean().Should().BeTrue();
    }

    [Fact]
    public void Gradients_with_a_graph_are_taken_as_numbers()
    {
        using var scope = NewDisposeScope();
        Parameter a = nn.Parameter(full([2, 3], 2.0f)), b = nn.Parameter(full([2, 3], 2.0f));
        using var adam = new AdamOptimizer([new ParameterGroup([("a", a), ("b", b)])], new AdamOptions { Epsilon = 1 });
        autograd.backward([a.mul(a).sum()], null, retain_graph: true, create_graph: true);
        a.grad = a.grad!.t().contiguous().t();
        a.grad!.requires_grad.Should().BeTrue("else the test proves nothing");
        b.grad = full([2, 3], 4.0f);
        adam.Step(0.1);
        a.equal(b).all().ToBoolean().Should().BeTrue();
        a.grad = null;
    }

    [Fact]
    public void Modules_and_optimizers_may_be_disposed_in_any_order()
    {
        using var scope = NewDisposeScope();
        var x = randn(3, 5);
        var net = nn.Linear(5, 4);
        var first = new AdamOptimizer(net);
        using var second = new AdamOptimizer(net);
        net.call(x).sum().backward();
        first.Step(0.1);
        second.Step(0.1);
        first.Dispose();
        net.call(x).sum().isfinite().ToBoolean().Should().BeTrue("the module keeps its parameters");
        second.Step(0.1);
        second.ZeroGradients();
        net.weight!.grad.Should().BeNull();
        net.Dispose();
        second.ZeroGradients();
        var step = () => second.Step(0.1);
        step.Should().Throw<InvalidOperationException>().WithMessage("*'weight' was disposed*");
    }

    [Fact]
    public void Thousands_of_steps_keep_memory_flat()
    {
        using var scope = NewDisposeScope();
        using var net = nn.Sequential(nn.Linear(256, 256), nn.BatchNorm1d(256), nn.Linear(256, 8));
        var p = net.parameters().ToArray();
        var gradients = p.Select(q => randn(q.shape)).ToArray();
        using var adam = new AdamOptimizer(net);
        using var average = new WeightAverage(net);
        void Run(int steps)
        {
            for (var step = 0; step < steps; step++)
            {
                for (var i = 0; i < p.Length; i++) p[i].grad = gradients[i];
                adam.StepAndAverage(1e-6, 1, average);
                adam.ZeroGradients();
            }
        }
        Run(500);
        var (start, live) = (ResidentMemory.Now, Tensor.TotalCount);
        Run(10000);
        Tensor.TotalCount.Should().Be(live);
        // One handle that is not given back is 16 bytes; with the gradient that it holds, 256 kB.
        (ResidentMemory.Now - start).Should().BeLessThan(20_000_000);
    }

    [Theory, InlineData(true), InlineData(false)]
    public void Thousands_of_steps_through_a_gate_keep_memory_flat(bool lists)
    {
        using var scope = NewDisposeScope();
        using var net = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 8));
        var p = net.parameters().ToArray();
        var gradients = p.Select(q => randn(q.shape)).ToArray();
        using var adam = new AdamOptimizer([new ParameterGroup(net.named_parameters())], null, allowFused: false) { UsesLists = lists };
        using var average = new WeightAverage(net, 0.9, true, allowFused: false);
        using var gate = new StepGate(CPU);
        var loss = ones([]);
        void Run(int steps)
        {
            for (var step = 0; step < steps; step++)
            {
                for (var i = 0; i < p.Length; i++) p[i].grad = gradients[i];
                adam.StepThrough(gate, loss, 1e-6, 100, average).Dispose();
                adam.ZeroGradients();
                // as the trainer does
                if (step % 10 != 0) continue;
                GC.Collect(0);
                GC.WaitForPendingFinalizers();
            }
        }
        Run(300);
        var (start, live) = (ResidentMemory.Now, Tensor.TotalCount);
        Run(3000);
        Tensor.TotalCount.Should().Be(live);
        (ResidentMemory.Now - start).Should().BeLessThan(20_000_000);
    }

    private static bool Same(Tensor a, Tensor b) => a.dtype == b.dtype && a.contiguous().bytes.SequenceEqual(b.contiguous().bytes);

    private static ParameterGroup[] Trainable(nn.Module net) =>
        [new ParameterGroup(net.named_parameters().Where(p => p.parameter.requires_grad))];

    /// <summary>Parameters of all kinds, and a buffer.</summary>
    private sealed class Mixed : nn.Module<Tensor, Tensor>
    {
        public readonly Parameter plain, sometimes, wide, half, strided, frozen;
        public readonly Tensor statistics;

        public Mixed() : base(nameof(Mixed))
        {
            manual_seed(7);
            plain = Made(randn(9, 7));
            sometimes = Made(randn(33));
            wide = Made(randn(5, float64));
            half = Made(randn(6).to(bfloat16));
            strided = Made(randn(4, 3).t());
            frozen = Made(randn(3));
            frozen.requires_grad = false;
            statistics = zeros(5).DetachFromDisposeScope();
            RegisterComponents();
        }

        public override Tensor forward(Tensor input) => input;

        private static Parameter Made(Tensor value)
        {
            var parameter = nn.Parameter(value);
            parameter.DetachFromDisposeScope();
            return parameter;
        }
    }
}
