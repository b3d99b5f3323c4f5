using System.Diagnostics;
using System.Runtime.Intrinsics.X86;
using System.Text.RegularExpressions;
using RealNvp.Benchmarks;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Performance;

/// <summary>What the compiler makes of the innermost loops, read from its own listing.</summary>
/// <remarks>From some number of calls on it inlines no more in a method, without a word: each number of lanes and each store is then a
/// call, vectors go through memory, and a tile of few steps takes four times as long.</remarks>
public class CompiledKernelTests
{
    // what is meant to be part of its caller
    private static readonly Regex OfLanes = new(@"\bcall\b.*\[RealNvp\.Kernels\.(Lanes(1|128|256|512)`1\[\w+\]|LaneMath`2\[.*\]|"
        + @"AffineMath`2\[.*\]|Dense[1-6]|Stream`1\[\w+\]):", RegexOptions.CultureInvariant);

    [Theory, InlineData("maf_b512", "1"), InlineData("maf_b512", "0"), InlineData("tab_rqs_b512", "1"), InlineData("tab_rqs_b512", "0"),
        InlineData("glow32_b16", "1"), InlineData("glow32_b16", "0")]
    public void Innermost_loops_call_nothing(string name, string wide)
    {
        Assert.SkipUnless(Avx2.IsSupported, "The kernels need AVX2.");
        using var folder = new TemporaryFolder();
        var listing = Path.Combine(folder.Path, "listing.txt");
        var info = new ProcessStartInfo("dotnet", [typeof(BenchmarkCase).Assembly.Location, "--case", name, "--threads", "1", "--serve"])
        { RedirectStandardInput = true, RedirectStandardOutput = true };
        (info.Environment["DOTNET_EnableAVX512"], info.Environment["DOTNET_JitDisasm"]) = (wide, "RealNvp.Kernels.*:*");
        info.Environment["DOTNET_JitStdOutFile"] = listing;
        using (var worker = Process.Start(info)!)
        {
            try
            {
                worker.StandardInput.WriteLine("time train 2");
                for (var lines = 0; lines < 2; lines++) worker.StandardOutput.ReadLine().Should().NotBeNull();
            }
            finally
            {
                // its listing is whole by now; at the end of a process the compiler may still write to a file that is closed
                worker.Kill();
                worker.WaitForExit();
            }
        }
        var (method, tiles, calls) = ("", 0, new List<string>());
        foreach (var line in File.ReadLines(listing))
        {
            if (line.StartsWith("; Assembly listing for method", StringComparison.Ordinal))
            {
                // only what is optimized from its first call on: the rest is compiled again later
                method = line.Contains("FullOpts", StringComparison.Ordinal) ? line : "";
                if (method.Contains("DenseTile:", StringComparison.Ordinal)) tiles++;
            }
            else if (method.Length > 0 && line.Contains(" call ", StringComparison.Ordinal)
                // a tile calls nothing at all, but for the check of the stack, which never happens
                && (OfLanes.IsMatch(line) || (method.Contains("DenseTile:", StringComparison.Ordinal)
                    && !line.Contains("CORINFO_HELP_FAIL_FAST", StringComparison.Ordinal)))) calls.Add(method + line);
        }
        tiles.Should().BeGreaterThan(3);
        calls.Should().BeEmpty();
    }
}
