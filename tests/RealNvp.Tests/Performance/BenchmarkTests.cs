using System.Diagnostics;
using RealNvp.Benchmarks;
using RealNvp.Tests.Infrastructure;
using TorchSharp;

namespace RealNvp.Tests.Performance;

public class BenchmarkTests
{
    public static TheoryData<string> Names => [.. Cases.All.Select(c => c.Name)];

    [Fact]
    [LeavesNoTensors]
    public void A_worker_answers_each_command_with_a_line()
    {
        var output = new StringWriter();
        var toy = Cases.All.First(c => c.Name == "toy2d_affine_b256");
        Worker.Serve(toy, 1, cuda: false, tuned: false, new StringReader("time logprob 2\nnonsense\ntime sample 3\nquit\ntime train 1\n"), output).Should().Be(0);
        var lines = output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        lines.Should().HaveCount(3);
        Protocol.Read<Ready>(lines[0]).Should().Match<Ready>(r => r.Peer == "RealNvp" && r.Params > 30_000 && !r.Tuned);
        var sample = Protocol.Read<Timed>(lines[2]);
        sample.Times.Should().HaveCount(3).And.OnlyContain(t => t > 0);
        (sample.Phase, sample.ManagedBytes > 0).Should().Be(("sample", true));
    }

    [Theory]
    [MemberData(nameof(Names))]
    [LeavesNoTensors]
    public void Every_case_makes_a_flow_whose_density_is_that_of_its_samples(string name)
    {
        using var scope = torch.NewDisposeScope();
        using var gradients = torch.no_grad();
        using var flow = Cases.All.First(c => c.Name == name).Make();
        flow.eval();
        var (x, logProb) = flow.SampleAndLogProb(3, seed: 1);
        if (!flow.IsBound) (flow.LogProb(x) - logProb).abs().max().ToSingle().Should().BeLessThan(1e-5f * Math.Max(100, logProb.abs().max().ToSingle()));
        x.isfinite().all().ToBoolean().Should().BeTrue();
    }

    [SlowFact]
    public void The_program_times_two_workers_in_turn_and_compares_with_a_file()
    {
        using var folder = new TemporaryFolder();
        var program = typeof(Cases).Assembly.Location;
        var known = folder.Write("peers.jsonl", """{"peer":"other","case":"toy2d_affine_b256","phase":"logprob","threads":1,"median":1000,"min":999,"max":1001,"rounds":3,"tuned":true,"torch":"2.6"}""" + "\n");
        var results = Path.Combine(folder.Path, "results.jsonl");
        var info = new ProcessStartInfo("dotnet", [program, "--case", "toy2d", "--phase", "logprob", "--rounds", "8", "--threads", "1", "--peer", $"dotnet {program} --untuned", "--compare", known, "--json", results]) { RedirectStandardOutput = true };
        using var process = Process.Start(info)!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        process.ExitCode.Should().Be(0);
        output.Should().MatchRegex(@"toy2d_affine_b256\s+logprob").And.MatchRegex(@"other, tuned\s+1000\.000.*times ours");
        var lines = File.ReadLines(results).Select(Protocol.Read<Measurement>).ToArray();
        lines.Should().HaveCount(2).And.OnlyContain(m => m.Rounds == 8 && m.Threads == 1 && m.Median > 0);
        lines.Select(m => m.Tuned).Should().Equal(true, false);
    }
}
