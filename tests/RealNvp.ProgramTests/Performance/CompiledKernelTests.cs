using System.Diagnostics;
using System.Runtime.Intrinsics.X86;
using RealNvp.Benchmarks;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Performance;

/// <summary>What the compiler makes of the innermost loops, read from its own listing.</summary>
/// <remarks>From some number of calls on it inlines no more in a method, without a word: each number of lanes and each store is then a
/// call, vectors go through memory, and a tile of few steps takes four times as long.</remarks>
public class CompiledKernelTests
{
    [Theory, InlineData("1"), InlineData("0")]
    public void Tiles_of_products_call_nothing(string wide)
    {
        Assert.SkipUnless(Avx2.IsSupported, "The kernels need AVX2.");
        using var folder = new TemporaryFolder();
        var listing = Path.Combine(folder.Path, "listing.txt");
        var info = new ProcessStartInfo("dotnet", [typeof(BenchmarkCase).Assembly.Location, "--case", "maf_b512", "--threads", "1",
            "--serve"]) { RedirectStandardInput = true, RedirectStandardOutput = true };
        (info.Environment["DOTNET_EnableAVX512"], info.Environment["DOTNET_JitDisasm"]) = (wide, "Run Tall");
        info.Environment["DOTNET_JitStdOutFile"] = listing;
        using (var worker = Process.Start(info)!)
        {
            worker.StandardInput.WriteLine("time train 2");
            for (var lines = 0; lines < 2; lines++) worker.StandardOutput.ReadLine().Should().NotBeNull();
            // its listing is whole by now; at the end of a process the compiler may still write to a file that is closed
            worker.Kill();
            worker.WaitForExit();
        }
        var (method, tiles, calls) = ("", 0, new List<string>());
        foreach (var line in File.ReadLines(listing))
        {
            if (line.StartsWith("; Assembly listing for method", StringComparison.Ordinal))
            {
                method = line;
                if (line.Contains("DenseTile:", StringComparison.Ordinal)) tiles++;
            }
            // the check of the stack is a call that never happens
            else if (method.Contains("DenseTile:", StringComparison.Ordinal) && line.Contains(" call ", StringComparison.Ordinal)
                && !line.Contains("CORINFO_HELP_FAIL_FAST", StringComparison.Ordinal)) calls.Add(method + line);
        }
        tiles.Should().BeGreaterThan(3);
        calls.Should().BeEmpty();
    }
}
