using RealNvp.Checking;

namespace RealNvp.Tests.Checking;

/// <summary>The checker is checked: each mistake is caught by the law that is about it.</summary>
public class BrokenLayersTests
{
    public static TheoryData<string> Names => [.. BrokenLayers.All.Keys];

    [Fact]
    public void The_sound_layer_passes() => FlowCheck.Verify(() => new BrokenLayers.Elementwise(), [4]).ThrowIfFailed();

    [Theory, MemberData(nameof(Names))]
    public void A_broken_layer_is_caught_by_name(string name)
    {
        var (make, law) = BrokenLayers.All[name];
        var report = FlowCheck.Verify(make, [4]);
        report.Failures.Select(f => f.Law).Distinct().Should().HaveCountLessThan(15,
            "a mistake breaks what follows from it, and not everything");
        report.Failures.Select(f => f.Law).Should().Contain(law);
        var throws = () => report.ThrowIfFailed();
        throws.Should().Throw<FlowCheckException>().WithMessage($"*FAIL {law}*{law} failed in float*error*tolerance*");
    }

    [Fact]
    public void Every_law_catches_a_broken_layer() =>
        BrokenLayers.All.Values.Select(b => b.Law).Append(FlowLaw.StepAgrees).Distinct().Should().BeEquivalentTo(Enum.GetValues<FlowLaw>(),
            "mistakes of steps have a test of their own");

    [Fact]
    public void Only_random_parameters_show_a_log_det_that_is_right_at_the_identity()
    {
        var (make, law) = BrokenLayers.All["a log-det that is right only at the identity"];
        FlowCheck.Verify(make, [4], new() { RandomizeParameters = false }).Passed.Should().BeTrue("the initialization hides the mistake");
        FlowCheck.Verify(make, [4]).Failures.Should().Contain(f => f.Law == law);
    }

    [Fact]
    public void Opposite_log_dets_alone_miss_a_sign_that_both_directions_share()
    {
        var report = FlowCheck.Verify(BrokenLayers.All["log-det of the wrong sign in both directions"].Make, [4]);
        report.Results.Where(r => r.Law == FlowLaw.OppositeLogDets).Should().OnlyContain(r => r.Passed);
        report.ToString().Should().Contain("The sign is wrong.");
    }

    [Fact]
    public void A_failure_says_which_law_on_which_input_by_how_much_and_in_which_dtype()
    {
        var failure = FlowCheck.Verify(BrokenLayers.All["an inverse that is wrong for large values only"].Make, [4]).Failures.First();
        failure.ToString().Should()
            .MatchRegex(
            @"^InverseUndoesForward failed in float64 at x: extremes \(-10000 and 10000\): error [0-9.]+e\+0?3, " +
            @"tolerance [0-9.]+e[-+][0-9]+\. .+example \d");
        failure.Error.Should().BeGreaterThan(1000);
        failure.Tolerance.Should().BeLessThan(1);
    }
}
