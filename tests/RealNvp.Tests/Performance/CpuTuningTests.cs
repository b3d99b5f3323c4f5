using RealNvp.Internal;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Performance;

public class CpuTuningTests
{
    private static readonly CpuTuningOptions nothing = new() { KeepFreedMemory = false };

    [Fact]
    [LeavesNoTensors]
    public void Nothing_is_set_that_was_not_asked_for()
    {
        var report = CpuTuning.Apply(nothing);
        new[] { report.KeepFreedMemory, report.OneDnnMatmul }.Should().OnlyContain(s => !s.IsOn
            && s.ToString() == "off: It was not asked for.");
    }

    [Fact]
    [LeavesNoTensors]
    public void Products_by_oneDNN_keep_the_accuracy_of_float32_or_are_taken_back()
    {
        try
        {
            var report = CpuTuning.Apply(nothing with { OneDnnMatmul = true }).OneDnnMatmul;
            (report.IsOn || report.Reason.Length > 0).Should().BeTrue();
            NativeTuning.MatmulError().Should().BeLessThan(1e-4);
        }
        finally { CpuTuning.Apply(nothing); }
        NativeTuning.MatmulError().Should().BeLessThan(1e-4);
    }
}
