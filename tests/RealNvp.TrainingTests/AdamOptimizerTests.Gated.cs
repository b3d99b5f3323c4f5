using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training;

public sealed partial class AdamOptimizerTests
{
    [Theory]
    [InlineData(ScalarType.Float32, true, 2e-6)]
    [InlineData(ScalarType.Float32, false, 2e-6)]
    [InlineData(ScalarType.Float64, true, 1e-7)]
    [InlineData(ScalarType.Float64, false, 1e-7)]
    public void Steps_through_a_gate_are_the_same_and_stop_for_good_at_one_that_is_not_finite(ScalarType type, bool lists, double tolerance)
    {
        using var scope = NewDisposeScope();
        var (gated, plain) = (Parameters(type), Parameters(type));
        using var adam = new AdamOptimizer([Group(gated, 0.03)], null, allowFused: false) { UsesLists = lists };
        using var expected = new AdamOptimizer([Group(plain, 0.03)], null, allowFused: false);
        using var gate = new StepGate(CPU);
        var loss = ones([], type);
        for (var step = 0; step < 30; step++)
        {
            for (var i = 0; i < Shapes.Length; i++)
            {
                // one without a gradient now and then, one laid out otherwise, and in turn some that are clipped
                plain[i].grad = i == 1 && step % 3 == 0 ? null : randn(Shapes[i], type).mul(step % 2 == 0 ? 3 : 0.01);
                gated[i].grad = i == 0 ? plain[i].grad!.t().contiguous().t() : plain[i].grad?.clone();
            }
            using var norm = adam.StepThrough(gate, loss, 0.01, 1, null);
            norm.to(float64).item<double>().Should().BeApproximately(expected.Step(0.01, 1), 1e-4);
        }
        for (var i = 0; i < Shapes.Length; i++) Distance(gated[i], plain[i]).Should().BeLessThan(tolerance);

        var (counts, state) = (adam.Counts(), adam.StateDict());
        var before = gated.Select(p => p.detach().clone()).ToArray();
        foreach (var bad in new[] { float.NaN, 1, float.PositiveInfinity, 1 })
        {
            for (var i = 0; i < Shapes.Length; i++) gated[i].grad = full(Shapes[i], bad, type);
            adam.StepThrough(gate, loss, 0.01, 1, null).Dispose();
        }
        adam.TakeBack(counts);
        for (var i = 0; i < Shapes.Length; i++) gated[i].equal(before[i]).all().item<bool>().Should().BeTrue();
        foreach (var (name, value) in adam.StateDict()) value.equal(state[name]).all().item<bool>().Should().BeTrue(name);

        // a closed gate stays closed; a new one goes on as if nothing had been
        using var next = new StepGate(CPU);
        for (var i = 0; i < Shapes.Length; i++) (gated[i].grad, plain[i].grad) = (ones(Shapes[i], type), ones(Shapes[i], type));
        adam.StepThrough(next, loss, 0.01, null, null).Dispose();
        expected.Step(0.01);
        for (var i = 0; i < Shapes.Length; i++) Distance(gated[i], plain[i]).Should().BeLessThan(tolerance);
    }

    [Theory, InlineData(true), InlineData(false)]
    public void Gradients_whose_squares_pass_the_largest_float32_have_a_finite_norm_and_are_clipped(bool lists)
    {
        using var scope = NewDisposeScope();
        var (gated, plain) = (Parameters(ScalarType.Float32), Parameters(ScalarType.Float32));
        using var adam = new AdamOptimizer([Group(gated, 0)], null, allowFused: false) { UsesLists = lists };
        using var expected = new AdamOptimizer([Group(plain, 0)], null, allowFused: false);
        using var gate = new StepGate(CPU);
        double squares = 0;
        for (var i = 0; i < Shapes.Length; i++)
        {
            var gradient = randn(Shapes[i]).mul(1e25);
            squares += gradient.to(float64).pow(2).sum().item<double>();
            (gated[i].grad, plain[i].grad) = (gradient, gradient.clone());
        }
        expected.Step(0.01, 1).Should().BeApproximately(Math.Sqrt(squares), 1e-6 * Math.Sqrt(squares));
        using var norm = adam.StepThrough(gate, ones([]), 0.01, 1, null);
        norm.to(float64).item<double>().Should().BeApproximately(Math.Sqrt(squares), 1e-6 * Math.Sqrt(squares));
        gate.Open.item<bool>().Should().BeTrue();
        for (var i = 0; i < Shapes.Length; i++) Distance(gated[i], plain[i]).Should().BeLessThan(2e-6);
    }

    [Theory, InlineData(null), InlineData(1.0)]
    public void A_step_by_lists_is_the_step_and_keeps_gradients_and_refuses_what_is_not_finite(double? most)
    {
        using var scope = NewDisposeScope();
        var (listed, plain) = (Parameters(ScalarType.Float32), Parameters(ScalarType.Float32));
        using var adam = new AdamOptimizer([Group(listed, 0.03)], null, allowFused: false) { StepsByLists = true };
        using var expected = new AdamOptimizer([Group(plain, 0.03)], null, allowFused: false);
        for (var step = 0; step < 10; step++)
        {
            for (var i = 0; i < Shapes.Length; i++) listed[i].grad = (plain[i].grad = randn(Shapes[i]).mul(3)).clone();
            adam.Step(0.01, most).Should().BeApproximately(expected.Step(0.01, most), 1e-4);
            for (var i = 0; i < Shapes.Length; i++)
                listed[i].grad!.equal(plain[i].grad!).all().item<bool>().Should().BeTrue("gradients stay");
        }
        for (var i = 0; i < Shapes.Length; i++) Distance(listed[i], plain[i]).Should().BeLessThan(2e-6);
        var before = listed.Select(p => p.detach().clone()).ToArray();
        for (var i = 0; i < Shapes.Length; i++) listed[i].grad = full(Shapes[i], float.NaN);
        double.IsFinite(adam.Step(0.01, most)).Should().BeFalse();
        adam.StepCount.Should().Be(10);
        for (var i = 0; i < Shapes.Length; i++) listed[i].equal(before[i]).all().item<bool>().Should().BeTrue();
        for (var i = 0; i < Shapes.Length; i++) listed[i].grad = (plain[i].grad = ones(Shapes[i])).clone();
        adam.Step(0.01, most);
        expected.Step(0.01, most);
        for (var i = 0; i < Shapes.Length; i++)
            Distance(listed[i], plain[i]).Should().BeLessThan(2e-6, "the next step goes on as if nothing had been");
    }

    [Fact]
    public void Where_libtorch_refuses_a_norm_of_a_list_tensors_are_taken_one_by_one()
    {
        using var scope = NewDisposeScope();
        var (gated, plain) = (Parameters(ScalarType.Float32), Parameters(ScalarType.Float32));
        var asked = 0;
        using var adam = new AdamOptimizer([Group(gated, 0)], null, allowFused: false)
        {
            NormOfList = _ =>
            {
                asked++;
                throw new Refusal();
            },
        };
        using var expected = new AdamOptimizer([Group(plain, 0)], null, allowFused: false);
        using var gate = new StepGate(CPU);
        for (var step = 0; step < 3; step++)
        {
            for (var i = 0; i < Shapes.Length; i++) gated[i].grad = (plain[i].grad = randn(Shapes[i])).clone();
            adam.StepThrough(gate, ones([]), 0.01, 1, null).Dispose();
            expected.Step(0.01, 1);
        }
        asked.Should().Be(1);
        for (var i = 0; i < Shapes.Length; i++) Distance(gated[i], plain[i]).Should().BeLessThan(2e-6);
    }

    private sealed class Refusal() : System.Runtime.InteropServices.ExternalException("Unknown builtin op: aten::_foreach_norm.");
}
