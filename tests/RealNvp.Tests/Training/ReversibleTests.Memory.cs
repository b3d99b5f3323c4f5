using RealNvp.Benchmarks;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training;

/// <summary>What reversible training is for.</summary>
public partial class ReversibleTests
{
    [Fact]
    public void Of_Glow_with_four_times_the_steps_only_weights_gradients_and_the_optimizer_take_more_memory()
    {
        var (shallow, deep, plain) = (WorkingMemory("glow32_b16", true), WorkingMemory("glow32_k32_b16", true), WorkingMemory("glow32_k32_b16", false));
        Assert.SkipWhen(shallow is null || deep is null || plain is null, "this system does not tell how much native memory is in use");
        TestContext.Current.TestOutputHelper?.WriteLine($"{shallow / 1e6:F2} MB for K = 8, {deep / 1e6:F2} for K = 32, {plain / 1e6:F2} in ordinary training");
        deep.Should().BeLessThanOrEqualTo((long)(1.1 * shallow!.Value));
        plain.Should().BeGreaterThan(10 * deep!.Value);
    }

    private static long? WorkingMemory(string name, bool reversible)
    {
        using var scope = NewDisposeScope();
        using var workload = new Workload(Cases.All.First(c => c.Name == name), CPU, reversible);
        for (var i = 0; i < 2; i++) workload.Run("train");
        return workload.PeakOf("train");
    }

    [SlowFact]
    public void Peak_memory_does_not_grow_with_depth_but_for_weights()
    {
        if (!OperatingSystem.IsLinux()) return;
        // large blocks go back to the system at once, so that resident memory is memory in use
        Native.SetAllocatorOption(Native.MmapThreshold, 64 << 10).Should().Be(1);
        try
        {
            var (shallow, deep, plain) = (Peak(4, true), Peak(16, true), Peak(16, false));
            TestContext.Current.TestOutputHelper?.WriteLine($"{shallow / 1e6:F1} MB for 4 couplings, {deep / 1e6:F1} for 16, {plain / 1e6:F1} in ordinary training");
            plain.Should().BeGreaterThan(4 * deep);
            deep.Should().BeLessThan(shallow + (shallow / 10));
        }
        finally { _ = Native.SetAllocatorOption(Native.MmapThreshold, 32 << 20); }
    }

    private static long Peak(int couplings, bool reversible)
    {
        using var scope = NewDisposeScope();
        Bijection[] layers = [.. Enumerable.Range(0, couplings).Select(Bijection (i) => new AffineCouplingLayer([4], i % 2 == 0 ? Mask.FirstHalf(4) : !Mask.FirstHalf(4), new ResidualMlp(2, 4, 64, 2)))];
        using var flow = new Flow([4], new Chain(layers)) { ReversibleTraining = reversible };
        var x = randn(20_000, 4);
        void Step()
        {
            using var step = NewDisposeScope();
            flow.zero_grad();
            flow.NegativeLogLikelihood(x).backward();
        }
        Step();
        return ResidentMemory.PeakGrowth(Step);
    }

    private static partial class Native
    {
        public const int MmapThreshold = -3;

        [System.Runtime.InteropServices.LibraryImport("libc", EntryPoint = "mallopt")]
        public static partial int SetAllocatorOption(int parameter, int value);
    }
}
