using RealNvp.Tests.Infrastructure;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training;

public sealed partial class AdamOptimizerTests
{
    private static readonly long[][] Shapes = [[7, 13], [13], [], [3, 2, 5]];

    [Theory]
    [InlineData(ScalarType.Float32, 1e-6)]
    [InlineData(ScalarType.Float64, 1e-12)]
    public void Both_paths_take_the_same_steps_as_TorchSharps_Adam(ScalarType type, double tolerance)
    {
        using var scope = NewDisposeScope();
        var (fused, plain, theirs) = (Parameters(type), Parameters(type), Parameters(type));
        var options = new AdamOptions { Beta1 = 0.8, Beta2 = 0.95, Epsilon = 1e-7 };
        using var fusedAdam = new AdamOptimizer([Group(fused, 0.03)], options);
        using var plainAdam = new AdamOptimizer([Group(plain, 0.03)], options, allowFused: false);
        using var theirAdam = optim.Adam(theirs, 0.01, options.Beta1, options.Beta2, options.Epsilon, weight_decay: 0.03);
        for (var step = 0; step < 50; step++)
        {
            for (var i = 0; i < Shapes.Length; i++)
            {
                // One parameter has no gradient in some steps, so that step counts differ between parameters.
                if (i == 1 && step % 3 == 0) continue;
                var gradient = randn(Shapes[i], type).mul(i + 1);
                foreach (var p in new[] { fused[i], plain[i], theirs[i] }) p.grad = gradient.clone();
            }
            fusedAdam.Step(0.01);
            plainAdam.Step(0.01);
            theirAdam.step();
            fusedAdam.ZeroGradients();
            plainAdam.ZeroGradients();
            theirAdam.zero_grad();
            foreach (var p in theirs) p.grad = null;
        }
        for (var i = 0; i < Shapes.Length; i++)
        {
            Distance(fused[i], theirs[i]).Should().BeLessThan(tolerance);
            Distance(plain[i], theirs[i]).Should().BeLessThan(tolerance);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Clipping_gives_the_norm_before_and_the_step_of_the_clipped_gradient(bool allowFused)
    {
        using var scope = NewDisposeScope();
        var (ours, theirs) = (Parameters(ScalarType.Float64), Parameters(ScalarType.Float64));
        using var adam = new AdamOptimizer([Group(ours)], null, allowFused);
        using var theirAdam = optim.Adam(theirs, 0.01);
        for (var step = 0; step < 20; step++)
        {
            // Above and below the limit in turn: a clipped step alone looks like any other to Adam.
            for (var i = 0; i < Shapes.Length; i++)
                theirs[i].grad = ours[i].grad = randn(Shapes[i], ScalarType.Float64).mul(step % 2 == 0 ? 3 : 0.01);
            var before = ours[0].grad!.clone();
            var norm = adam.Step(0.01, maxGradientNorm: 1);
            ours[0].grad!.allclose(before, 0, 0).Should().BeTrue("gradients stay as they are");
            for (var i = 0; i < Shapes.Length; i++) theirs[i].grad = ours[i].grad!.clone();
            nn.utils.clip_grad_norm_(theirs, 1).Should().BeApproximately(norm, 1e-9 * norm);
            theirAdam.step();
        }
        for (var i = 0; i < Shapes.Length; i++) Distance(ours[i], theirs[i]).Should().BeLessThan(1e-10);
    }

    [Theory]
    [InlineData(true, float.NaN)]
    [InlineData(true, float.PositiveInfinity)]
    [InlineData(false, float.NaN)]
    [InlineData(false, float.NegativeInfinity)]
    public void A_gradient_that_is_not_finite_changes_nothing_and_is_reported(bool allowFused, float bad)
    {
        using var scope = NewDisposeScope();
        var parameters = Parameters(ScalarType.Float32);
        using var adam = new AdamOptimizer([Group(parameters)], null, allowFused);
        foreach (var p in parameters) p.grad = ones_like(p);
        adam.Step(0.1);
        var before = parameters.Select(p => p.detach().clone()).ToArray();
        var state = adam.StateDict();
        parameters[3].grad![2, 1, 4] = bad;
        double.IsFinite(adam.Step(0.1)).Should().BeFalse();
        adam.StepCount.Should().Be(1);
        for (var i = 0; i < before.Length; i++) parameters[i].allclose(before[i], 0, 0).Should().BeTrue();
        foreach (var (name, now) in adam.StateDict()) now.allclose(state[name], 0, 0).Should().BeTrue(name);
    }

    [Fact]
    public void Large_float32_gradients_do_not_overflow_the_norm()
    {
        using var scope = NewDisposeScope();
        var p = nn.Parameter(zeros(100));
        using var adam = new AdamOptimizer([new ParameterGroup([("p", p)])]);
        p.grad = full(100, 1e30f);
        adam.Step(0.1, 1).Should().BeApproximately(1e31, 1e25);
        p.isfinite().all().ToBoolean().Should().BeTrue();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Training_goes_on_bit_for_bit_from_a_saved_state(bool allowFused)
    {
        using var scope = NewDisposeScope();
        var (first, second) = (Parameters(ScalarType.Float32), Parameters(ScalarType.Float32));
        using var straight = new AdamOptimizer([Group(first, 0.1)], null, allowFused);
        Run(straight, first, 0, 5);
        var state = straight.StateDict();
        for (var i = 0; i < first.Length; i++) using (no_grad()) second[i].copy_(first[i]);
        Run(straight, first, 5, 9);
        using var resumed = new AdamOptimizer([Group(second, 0.1)], null, allowFused);
        resumed.LoadStateDict(state);
        resumed.StepCount.Should().Be(5);
        Run(resumed, second, 5, 9);
        for (var i = 0; i < first.Length; i++) first[i].bytes.SequenceEqual(second[i].bytes).Should().BeTrue();
        state.Keys.Should().Contain("step").And.Contain("step.p1").And.Contain("exp_avg.p1").And.Contain("exp_avg_sq.p1").And.HaveCount(1
            + 3 * Shapes.Length);
    }

    [Fact]
    public void A_state_that_does_not_fit_is_refused_and_changes_nothing()
    {
        using var scope = NewDisposeScope();
        var p = Parameters(ScalarType.Float32);
        using var adam = new AdamOptimizer([Group(p)]);
        Run(adam, p, 0, 2);
        void Refused(Action<Dictionary<string, Tensor>> change, string message)
        {
            var state = adam.StateDict();
            foreach (var name in state.Keys.Where(n => n.StartsWith("exp", StringComparison.Ordinal))) state[name].zero_();
            change(state);
            var load = () => adam.LoadStateDict(state);
            load.Should().Throw<ArgumentException>().WithMessage(message);
            adam.StateDict()["exp_avg.p0"].count_nonzero().ToInt64().Should().Be(7 * 13);
        }
        Refused(s => s.Remove("exp_avg.p3"), "*no 'exp_avg.p3'*");
        Refused(s => s["other"] = zeros(1), "*'other'*does not know*");
        Refused(s => s["exp_avg.p0"] = zeros(13), "*'exp_avg.p0'*Float32 (13,)*Float32 (7, 13) was expected*");
        Refused(s => s["exp_avg.p0"] = zeros(7, 13, ScalarType.Float64), "*Float64*Float32*was expected*");
        Refused(s => s["step.p0"] = tensor(-1L), "*'step.p0'*negative*");
        Refused(s => s["exp_avg.p1"].Dispose(), "*'exp_avg.p1'*disposed*");
    }

    [Theory]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float16)]
    public void Half_precision_follows_float32_within_its_rounding(ScalarType type)
    {
        using var scope = NewDisposeScope();
        var half = nn.Parameter(ones(50, type));
        var full = nn.Parameter(ones(50));
        using var halfAdam = new AdamOptimizer([new ParameterGroup([("p", half)])]);
        using var fullAdam = new AdamOptimizer([new ParameterGroup([("p", full)])]);
        for (var i = 0; i < 10; i++)
        {
            // Its square, 1e-10, is below the smallest float16.
            half.grad = torch.full(50, 1e-5, type);
            full.grad = half.grad!.to(float32);
            halfAdam.Step(0.05);
            fullAdam.Step(0.05);
        }
        Distance(half.to(float32), full).Should().BeLessThan(0.03);
        full[0].ToDouble().Should().BeLessThan(0.6);
        halfAdam.StateDict()["exp_avg_sq.p"].dtype.Should().Be(ScalarType.Float32);
    }

    [Fact]
    public void Groups_have_their_own_rate_and_decay()
    {
        using var scope = NewDisposeScope();
        Parameter a = nn.Parameter(ones(3)), b = nn.Parameter(ones(3)), frozen = nn.Parameter(ones(3));
        using var adam = new AdamOptimizer([
            new ParameterGroup([("a", a)]), new ParameterGroup([("b", b)]) { LearningRateFactor = 0.1 },
            new ParameterGroup([("frozen", frozen)]) { LearningRateFactor = 0, WeightDecay = 1 }]);
        foreach (var p in new[] { a, b, frozen }) p.grad = ones(3);
        adam.Step(0.1);
        // The first step of Adam has the size of the learning rate.
        a[0].ToDouble().Should().BeApproximately(0.9, 1e-6);
        b[0].ToDouble().Should().BeApproximately(0.99, 1e-6);
        frozen[0].ToDouble().Should().Be(1);
    }

    [Fact]
    public void A_gradient_with_other_strides_is_read_in_the_right_order()
    {
        using var scope = NewDisposeScope();
        Parameter a = nn.Parameter(zeros(2, 3)), b = nn.Parameter(zeros(2, 3));
        using var adam = new AdamOptimizer([new ParameterGroup([("a", a), ("b", b)])], new AdamOptions { Epsilon = 1 });
        var gradient = arange(6.0f).reshape(3, 2).t();
        gradient.is_contiguous().Should().BeFalse();
        a.grad = gradient;
        b.grad = gradient.contiguous();
        adam.Step(0.1);
        a.grad!.is_contiguous().Should().BeFalse("else the test proves nothing");
        a.bytes.SequenceEqual(b.bytes).Should().BeTrue();
    }

    [Fact]
    public void A_module_that_was_moved_gives_a_clear_error()
    {
        using var net = nn.Linear(3, 2);
        using var adam = new AdamOptimizer(net);
        net.to(ScalarType.Float64);
        var step = () => adam.Step(0.1);
        step.Should().Throw<InvalidOperationException>().WithMessage("*'weight'*Module.to()*then make the optimizer*");
    }

    [Fact]
    public void What_cannot_be_optimized_is_refused()
    {
        using var scope = NewDisposeScope();
        var p = nn.Parameter(zeros(1));
        Throws(() => new AdamOptimizer([new ParameterGroup([])]), "*no parameter*");
        Throws(() => new AdamOptimizer([new ParameterGroup([("a", p), ("b", p)])]), "*'b' occurs twice*");
        Throws(() => new AdamOptimizer([new ParameterGroup([("a", p), ("a", nn.Parameter(zeros(1)))])]), "*'a' occurs twice*");
        Throws(() => new AdamOptimizer([new ParameterGroup([("a", nn.Parameter(zeros(1, ScalarType.ComplexFloat32)))])]),
            "*'a' has dtype ComplexFloat32*");
        Throws(() => new AdamOptions { Beta1 = 1 }, "*Beta1*less than 1*");
        Throws(() => new AdamOptions { Beta2 = double.NaN }, "*Beta2*");
        Throws(() => new AdamOptions { Epsilon = 0 }, "*Epsilon must be in 1E-30 ... 1: below*");
        Throws(() => new ParameterGroup([]) { WeightDecay = -1 }, "*WeightDecay*at least 0*");
        using var adam = new AdamOptimizer([new ParameterGroup([("a", p)])]);
        Throws(() => adam.Step(double.NaN), "*learningRate*");
        Throws(() => adam.Step(0.1, 0), "*maxGradientNorm*");
        static void Throws(Func<object> make, string message) => make.Should().Throw<ArgumentException>().WithMessage(message);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Steps_leave_no_tensor(bool allowFused)
    {
        using var net = nn.Linear(5, 4);
        using var x = randn(3, 5);
        using var adam = new AdamOptimizer([new ParameterGroup(net.named_parameters())], null, allowFused);
        LiveTensors.ChangeOver(() =>
        {
            using (NewDisposeScope()) net.call(x).sum().backward();
            adam.Step(0.1, 1);
            var state = adam.StateDict();
            adam.LoadStateDict(state);
            foreach (var value in state.Values) value.Dispose();
            adam.ZeroGradients();
            using var other = new AdamOptimizer(net);
        }).Should().Be(0);
    }

    private static Parameter[] Parameters(ScalarType type)
    {
        random.manual_seed(1);
        return [.. Shapes.Select(shape => nn.Parameter(randn(shape, type)))];
    }

    private static ParameterGroup Group(Parameter[] parameters, double decay = 0) =>
        new(parameters.Select((p, i) => ($"p{i}", p))) { WeightDecay = decay };

    private static void Run(AdamOptimizer adam, Parameter[] parameters, int from, int to)
    {
        for (var step = from; step < to; step++)
        {
            random.manual_seed(step);
            foreach (var p in parameters) p.grad = randn_like(p).detach();
            adam.Step(0.01);
        }
    }

    /// <summary>The largest difference relative to the largest element.</summary>
    private static double Distance(Tensor a, Tensor b)
    {
        using var scope = NewDisposeScope();
        return (a - b).abs().max().ToDouble() / b.abs().max().ToDouble();
    }
}
