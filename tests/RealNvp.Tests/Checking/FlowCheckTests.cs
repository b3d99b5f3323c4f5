using RealNvp.Checking;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Checking;

[LeavesNoTensors]
public class FlowCheckTests
{
    // a time is a fact about a machine: on two cores of an older kind, which do half as much, it takes 8 seconds
    [SlowFact]
    public void A_full_report_on_a_3x8x8_coupling_takes_less_than_5_seconds_on_2_cores()
    {
        var threads = get_num_threads();
        set_num_threads(2);
        try
        {
            // the best of three: the first also compiles, and something else may run on the machine
            var seconds = Enumerable.Range(0, 3)
                .Select(_ => FlowCheck.Verify(ImageCoupling, [3, 8, 8]).ThrowIfFailed().Elapsed.TotalSeconds);
            seconds.Any(s => s < 5).Should().BeTrue("one of three reports takes less than 5 seconds");
        }
        finally { set_num_threads(threads); }
    }

    [Fact]
    public void The_caller_gets_the_layer_back_as_it_was()
    {
        using var scope = NewDisposeScope();
        using var layer = new Chain(Coupling(), new FlowBatchNorm([4]), Coupling());
        layer.Layers[0].eval();
        layer.Layers[2].parameters().First().requires_grad_(false);
        var before = layer.state_dict().ToDictionary(e => e.Key, e => e.Value.clone());
        manual_seed(5).Dispose();
        var expectedDraw = rand(3);
        manual_seed(5).Dispose();
        FlowCheck.Verify(layer, [4]).ThrowIfFailed();
        rand(3).equal(expectedDraw).all().item<bool>().Should().BeTrue("torch's generator goes on where it was");
        foreach (var (key, tensor) in layer.state_dict())
            tensor.equal(before[key]).all().item<bool>().Should().BeTrue("{0} is as it was", key);
        layer.parameters().Should().OnlyContain(p => p.dtype == float32);
        layer.training.Should().BeTrue();
        layer.Layers[0].training.Should().BeFalse();
        layer.Layers[1].training.Should().BeTrue();
        layer.Layers[2].parameters().First().requires_grad.Should().BeFalse();
        (get_default_dtype(), get_default_device().type).Should().Be((float32, DeviceType.CPU));
    }

    [Fact]
    public void The_same_seed_gives_the_same_report_and_another_seed_another()
    {
        var (one, two, other) = (FlowCheck.Verify(Coupling, [4]), FlowCheck.Verify(Coupling, [4]),
            FlowCheck.Verify(Coupling, [4], new() { Seed = 2 }));
        two.Results.Should().Equal(one.Results);
        other.Results.Should().NotEqual(one.Results);
    }

    // TorchSharp makes a tensor of such an array too
    [Fact]
    public void An_array_of_sizes_is_a_shape()
    {
        var shape = new long[] { 4 };
        FlowCheck.Verify(Coupling, shape).Results.Should().Equal(FlowCheck.Verify(Coupling, [4]).Results);
        using var layer = Coupling();
        FlowCheck.Verify(layer, shape).Passed.Should().BeTrue();
        // of other whole numbers it makes a tensor, and nothing else
        using var scope = NewDisposeScope();
        foreach (var verify in new Action[] { () => FlowCheck.Verify(layer, new int[] { 4 }), () => FlowCheck.Verify(layer, 4) })
            verify.Should().Throw<ArgumentException>().WithMessage("*shape of one example is written as*");
    }

    [Fact]
    public void A_report_names_the_layer_and_every_law()
    {
        var report = FlowCheck.Verify(Coupling, [4]).ThrowIfFailed();
        report.Passed.Should().BeTrue();
        report.Failures.Should().BeEmpty();
        report.Results.Select(r => r.Law).Distinct().Should().BeEquivalentTo(Enum.GetValues<FlowLaw>()
            .Where(l => l is not (FlowLaw.ContextMatters or FlowLaw.ContinuousOnCircles or FlowLaw.KeepsLength)),
            "it takes no context, and claims no circle and no sphere");
        report.Results.Select(r => r.Dtype).Distinct().Should().Equal(float64, float32);
        var text = report.ToString();
        text.Should().StartWith("AffineCouplingLayer (4,): all laws hold (");
        foreach (var law in report.Results.Select(r => r.Law).Distinct()) text.Should().Contain($"ok   {law} ");
    }

    [Theory]
    [InlineData(false, "*takes examples of shape (4,); got (5,)*")]
    [InlineData(true, "*takes examples of shape (4,); got (5,)*")]
    public void A_shape_that_does_not_fit_is_refused(bool sample, string message)
    {
        using var x = zeros(3, 5);
        Action verify = sample ? () => FlowCheck.Verify(Coupling, x) : () => FlowCheck.Verify(Coupling, [5]);
        verify.Should().Throw<ArgumentException>().WithMessage(message);
    }

    [Fact]
    public void Bad_arguments_say_what_to_do()
    {
        using var scope = NewDisposeScope();
        void Refused(Action verify, string message) => verify.Should().Throw<ArgumentException>().WithMessage(message);
        Refused(() => FlowCheck.Verify((Bijection)null!, [4]), "*bijection*");
        Refused(() => FlowCheck.Verify((Func<Bijection>)null!, [4]), "*make*");
        Refused(() => FlowCheck.Verify(() => null!, [4]), "*returned null*");
        Refused(() => FlowCheck.Verify(Coupling, (Tensor)null!), "*sample*");
        Refused(() => FlowCheck.Verify(() => new Squeeze([-1, -1, -1]), [-1, 4, 4]), "*all sizes known; got (*, 4, 4)*");
        Refused(() => FlowCheck.Verify(() => new LogitTransform(), [4097]), "*allows D up to 4096; (4097,) has 4097*");
        Refused(() => FlowCheck.Verify(Coupling, zeros(1, 4)), "*at least 2 examples; got 1*");
        Refused(() => FlowCheck.Verify(Coupling, zeros(2, 4, dtype: int64)), "*floating-point sample*");
        Refused(() => FlowCheck.Verify(Coupling, full(2, 4, float.NaN)), "*NaN*");
        Refused(() => FlowCheck.Verify(Coupling, full(2, 4, 3.0f), new() { Maximum = 2 }), "*beyond the limits*");
        Refused(() => FlowCheck.Verify(Coupling, [4], new() { Minimum = 2, Maximum = 1 }), "*Minimum must be less*");
        Refused(() => FlowCheck.Verify(Coupling, [4], new() { ParameterSpread = 0 }), "*ParameterSpread must be positive*");
        Refused(() => FlowCheck.Verify(Coupling, [4], new() { Extreme = double.NaN }), "*Extreme*");
        Refused(() => FlowCheck.Verify(Coupling, [4], new() { Points = [double.NaN] }), "*Points*");
        Refused(() => FlowCheck.Verify(Coupling, [4], new() { Context = zeros(2, 3) }), "*takes no context*");
        Refused(() => FlowCheck.Verify(Conditional, [4], new() { Context = zeros(2, 5) }), "*(n, 3)*");
        using var mixed = new Chain(Coupling(), Coupling());
        mixed.Layers[1].to(float64);
        Refused(() => FlowCheck.Verify(mixed, [4]), "*Float32 and Float64*");
    }

    [Fact]
    public void A_sample_and_its_context_take_the_place_of_what_is_drawn()
    {
        using var scope = NewDisposeScope();
        var contexts = eye(3);
        FlowCheck.Verify(Conditional, randn(6, 4), new() { Context = contexts }).ThrowIfFailed();
        // a context that is the same for all says nothing about its use
        var report = FlowCheck.Verify(Conditional, randn(6, 4), new() { Context = ones(2, 3) });
        report.Failures.Select(f => f.Law).Distinct().Should().Equal(FlowLaw.ContextMatters);
    }

    [Fact]
    public void Points_are_checked_at_the_knots_of_a_layer()
    {
        var knots = new FlowCheckOptions { Points = [-1, 0, 1] };
        FlowCheck.Verify(() => new KnottedLayer(), [3], knots).ThrowIfFailed().Results.Should()
            .Contain(r => r.Input.StartsWith("x: the point -1", StringComparison.Ordinal));
        var broken = FlowCheck.Verify(() => new KnottedLayer(atKnot: 2), [3], knots);
        broken.Failures.Should().Contain(f => f.Law == FlowLaw.InverseUndoesForward
            && f.Input.Contains("the point 1", StringComparison.Ordinal));
        broken.Failures.Should().NotContain(f => f.Input.Contains("ordinary", StringComparison.Ordinal),
            "away from the knots nothing is wrong");
    }

    private static AffineCouplingLayer ImageCoupling() =>
        new([3, 8, 8], Mask.Checkerboard(8, 8), new ResidualConvNet(3, 6, new() { HiddenChannels = 32, Blocks = 2 }));

    private static AffineCouplingLayer Coupling() => new([4], Mask.FirstHalf(4), new ResidualMlp(2, 4, 8, 1));

    private static AffineCouplingLayer Conditional() => new([4], Mask.FirstHalf(4), new ResidualMlp(2, 4, 8, 1, 3));
}
