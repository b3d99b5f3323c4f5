using RealNvp.Benchmarks;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training;

/// <summary>What reversible training is for.</summary>
public partial class ReversibleTests
{
    [SlowFact]
    public void Of_Glow_with_four_times_the_steps_only_weights_gradients_and_the_optimizer_take_more_memory()
    {
        var (shallow, deep, plain) = (Working("glow32_b16", true), Working("glow32_k32_b16", true), Working("glow32_k32_b16", false));
        Assert.SkipWhen(shallow is null || deep is null || plain is null, "this system does not tell how much native memory is in use");
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{shallow / 1e6:F2} MB for K = 8, {deep / 1e6:F2} for K = 32, {plain / 1e6:F2} in ordinary training");
        deep.Should().BeLessThanOrEqualTo((long)(1.1 * shallow!.Value));
        plain.Should().BeGreaterThan(10 * deep!.Value);
    }

    // The gradients of weights come one by one, so they are not all there when the
    // most is in use: what is measured beyond them is the least that it can be.
    // Without them, it is what it is.
    [SlowFact]
    public void Activations_of_Glow_with_four_times_the_steps_take_no_more_memory()
    {
        var (shallow, deep) = (Activations("glow32_b16"), Activations("glow32_k32_b16"));
        Assert.SkipWhen(shallow is null || deep is null, "this system does not tell how much native memory is in use");
        TestContext.Current.TestOutputHelper?.WriteLine($"{shallow / 1e6:F2} MB for K = 8, {deep / 1e6:F2} for K = 32");
        deep.Should().BeLessThanOrEqualTo((long)(1.1 * shallow!.Value));
    }

    private static long? Working(string name, bool reversible)
    {
        using var scope = NewDisposeScope();
        using var workload = new Workload(Cases.All.First(c => c.Name == name), CPU, reversible);
        for (var i = 0; i < 2; i++) workload.Run("train");
        // what finalizers have not freed yet counts, and there is less of it the second time
        return Enumerable.Range(0, 2).Min(_ => workload.PeakOf("train"));
    }

    private static long? Activations(string name)
    {
        using var scope = NewDisposeScope();
        var made = Cases.All.First(c => c.Name == name);
        using var flow = made.Make();
        var x = made.Data();
        flow.ReversibleTraining = true;
        foreach (var parameter in flow.parameters().Skip(1)) parameter.requires_grad = false;
        return GrowthOfAStep(flow, x);
    }

    [SlowFact]
    public void Peak_memory_does_not_grow_with_depth_but_for_weights()
    {
        var (shallow, deep, plain) = (Peak(4, true), Peak(16, true), Peak(16, false));
        Assert.SkipWhen(shallow is null || deep is null || plain is null, "this system does not tell how much native memory is in use");
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{shallow / 1e6:F1} MB for 4 couplings, {deep / 1e6:F1} for 16, {plain / 1e6:F1} in ordinary training");
        plain.Should().BeGreaterThan(4 * deep!.Value);
        deep.Should().BeLessThan(shallow!.Value + (shallow.Value / 10));
    }

    private static long? Peak(int couplings, bool reversible)
    {
        using var scope = NewDisposeScope();
        Bijection[] layers = [.. Enumerable.Range(0, couplings).Select(Bijection (i) => new AffineCouplingLayer([4], i % 2 == 0
            ? Mask.FirstHalf(4) : !Mask.FirstHalf(4), new ResidualMlp(2, 4, 64, 2)))];
        using var flow = new Flow([4], new Chain(layers)) { ReversibleTraining = reversible };
        return GrowthOfAStep(flow, randn(20_000, 4));
    }

    // native memory in use: resident memory would count what tests before this one have left
    private static long? GrowthOfAStep(Flow flow, Tensor x)
    {
        void Step()
        {
            using var step = NewDisposeScope();
            flow.zero_grad();
            flow.NegativeLogLikelihood(x).backward();
        }
        Step();
        using var calls = NativeCalls.Start(memory: true);
        if (calls?.PeakGrowth is null) return null;
        Step();
        return calls.PeakGrowth;
    }
}
