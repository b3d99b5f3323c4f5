using System.Diagnostics;
using System.Globalization;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Samples;

/// <summary>The page of samples/Browser in headless Chromium.</summary>
public class BrowserTests
{
    [SlowFact]
    public async Task The_page_for_browsers_shows_what_the_library_computes()
    {
        foreach (var program in new[] { "npm", "node", "chromium" })
            Assert.SkipUnless(Environment.GetEnvironmentVariable("PATH")!.Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(
                folder, program))), $"{program} is not on this machine");
        using var folder = new TemporaryFolder();
        using var flow = new SplineFlowModel(SplineFlowOptions.Tabular(2), seed: 1);
        flow.ExportOnnx(folder.At("flow.onnx"));
        var own = flow.LogProb(new double[,] { { 1, 0 }, { 0, -1 }, { 3, 3 } });
        var info = new ProcessStartInfo("bash", [Repository.At("samples", "Browser", "run.sh"), folder.At("flow.onnx")])
        { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(info)!;
        var (said, complaint) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        process.ExitCode.Should().Be(0, await complaint);
        (await said).Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(v => double.Parse(v, CultureInfo.InvariantCulture))
            .Zip(own).Should().OnlyContain(p => Math.Abs(p.First - p.Second) <= 1e-4).And.HaveCount(3);
    }
}
