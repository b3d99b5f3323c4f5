using RealNvp.Benchmarks;
using RealNvp.Tests.Infrastructure;
using TorchSharp;

namespace RealNvp.Tests.Performance;

/// <summary>
/// What the main cases ask libtorch for, and what they allocate. These numbers do not depend on the machine's speed:
/// where one grows, a step has become slower, whatever a clock says. Where one shrinks, write the smaller one here.
/// </summary>
public class CallGuardTests
{
    // operations asked for from outside, and managed kilobytes, of a training step, a log-probability and a sample
    private static readonly Dictionary<string, (int Calls, int Kilobytes)[]> limits = new()
    {
        ["toy2d_affine_b256"] = [(66, 76), (9, 32), (4, 33)],
        ["tab_affine_b512"] = [(80, 98), (9, 40), (4, 41)],
        ["tab_rqs_b512"] = [(70, 92), (9, 40), (4, 41)],
        ["maf_b512"] = [(45, 70), (9, 29), (20, 40)],
        ["iaf_b512"] = [(92, 140), (25, 48), (4, 33)],
        ["resflow2d_b500"] = [(232, 260), (35, 60), (12, 60)],
        ["ffjord2d_b100"] = [(48, 76), (18, 45), (6, 41)],
        ["cnf2d_b100"] = [(37, 62), (18, 38), (6, 29)],
        ["nsf_b512"] = [(218, 104), (46, 37), (33, 39)],
        ["glow32_b16"] = [(419, 290), (87, 135), (79, 135)],
    };

    public static TheoryData<string> Names => [.. limits.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_phase_makes_no_more_calls_and_allocates_no_more_than_before(string name) => Check(name, limits[name]);

    // a minute and more without optimization
    [Fact(Explicit = true)]
    public void So_does_the_Real_NVP_of_images() => Check("img_realnvp_b16", [(976, 1330), (191, 320), (171, 320)]);

    private static void Check(string name, (int Calls, int Kilobytes)[] wanted)
    {
        Assert.SkipUnless(Kernels(), "the numbers are those of the kernels for x64 with AVX2");
        using var scope = torch.NewDisposeScope();
        using var workload = new Workload(Cases.All.First(c => c.Name == name), torch.CPU);
        foreach (var (phase, limit) in new[] { "train", "logprob", "sample" }.Zip(wanted))
        {
            for (var i = 0; i < 2; i++) workload.Run(phase);
            var bytes = Enumerable.Range(0, 3).Min(_ =>
            {
                var before = GC.GetAllocatedBytesForCurrentThread();
                workload.Run(phase);
                return GC.GetAllocatedBytesForCurrentThread() - before;
            });
            bytes.Should().BeLessThanOrEqualTo(limit.Kilobytes * 1024L, "of what {0} of {1} allocates", phase, name);
            using var calls = NativeCalls.Start();
            Assert.SkipWhen(calls is null, "this libtorch has no hook that counts its operations");
            workload.Run(phase);
            calls.Outer.Should().BeLessThanOrEqualTo(limit.Calls, "of the operations of {0} of {1}", phase, name);
        }
    }

    [Fact]
    public void A_reversible_training_step_makes_no_more_calls_than_before()
    {
        Assert.SkipUnless(Kernels(), "the numbers are those of the kernels for x64 with AVX2");
        using var scope = torch.NewDisposeScope();
        using var workload = new Workload(Cases.All.First(c => c.Name == "glow32_b16"), torch.CPU, reversible: true);
        for (var i = 0; i < 2; i++) workload.Run("train");
        using var calls = NativeCalls.Start();
        Assert.SkipWhen(calls is null, "this libtorch has no hook that counts its operations");
        workload.Run("train");
        calls.Outer.Should().BeLessThanOrEqualTo(523);
    }

    private static bool Kernels() => OperatingSystem.IsLinux() && System.Runtime.Intrinsics.X86.Fma.IsSupported;
}
