using System.Diagnostics;
using RealNvp.Benchmarks;
using RealNvp.Benchmarks.Presets;
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
        Worker.Serve(toy, 1, cuda: false, tuned: false, new StringReader("time logprob 2\nnonsense\ntime sample 3\nquit\ntime train 1\n"),
            output).Should().Be(0);
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
        if (!flow.Likelihood.IsBound)
            (flow.LogProb(x) - logProb).abs().max().ToSingle().Should().BeLessThan(1e-5f * Math.Max(100, logProb.abs().max().ToSingle()));
        x.isfinite().all().ToBoolean().Should().BeTrue();
    }

    [Fact]
    [LeavesNoTensors]
    public void The_study_of_presets_scores_held_out_rows_and_rows_with_one_value_moved()
    {
        using var folder = new TemporaryFolder();
        var random = new Random(3);
        // float64 with the header of numpy, 90 rows of 2 numbers that are nearly one
        var header = System.Text.Encoding.ASCII.GetBytes("{'descr': '<f8', 'fortran_order': False, 'shape': (90, 2), }".PadRight(117)
            + "\n");
        var numbers = Enumerable.Range(0, 90).Select(_ => random.NextDouble()).SelectMany(v => new[] { v, v + (0.1 * random.NextDouble()) })
            .SelectMany(BitConverter.GetBytes);
        var path = folder.Write("twins.npy", [0x93, .. "NUMPY"u8, 1, 0, (byte)header.Length, 0, .. header, .. numbers]);
        NpyTable.Files(folder.Path).Should().Equal(path);

        var output = new StringWriter();
        PresetStudy.Run(output, [path], [50], [Candidate.Parse("RealNvp:Hidden=4,Layers=2,Base=StandardNormal,InputLimit=null"),
            Candidate.Parse("MafSpline:Hidden=4,Layers=1")], steps: 2, seed: 1);
        var rows = output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(2)
            .Select(l => l.Trim('|').Split('|').Select(c => c.Trim()).ToArray()).ToArray();
        rows.Select(r => r[2]).Should().Equal("Gaussian", "RealNvp:Hidden=4,Layers=2,Base=StandardNormal,InputLimit=null",
            "MafSpline:Hidden=4,Layers=1");
        double Number(int row, int column) => double.Parse(rows[row][column], System.Globalization.CultureInfo.InvariantCulture);
        rows.Should().OnlyContain(r => r[0] == "twins" && r[1] == "50" && r.Length == 13);
        // a Gaussian of two features that are nearly one knows that 5 deviations of one of them are far
        Number(0, 6).Should().BeInRange(-2, 0);
        Number(0, 9).Should().BeLessThan(-200);
        Number(0, 12).Should().Be(1);
        for (var row = 1; row < 3; row++) Number(row, 11).Should().BeLessThanOrEqualTo(Number(row, 9));
    }

    [SlowFact]
    public void The_program_times_two_workers_in_turn_and_compares_with_a_file()
    {
        using var folder = new TemporaryFolder();
        var program = typeof(Cases).Assembly.Location;
        var known = folder.Write("peers.jsonl",
            """{"peer":"other","case":"toy2d_affine_b256","phase":"logprob","threads":1,"median":1000,"min":999,"max":1001,"rounds":3,"tuned":true,"torch":"2.6"}""" + "\n");
        var results = Path.Combine(folder.Path, "results.jsonl");
        var info = new ProcessStartInfo("dotnet", [program, "--case", "toy2d", "--phase", "logprob", "--rounds", "8", "--threads", "1",
            "--peer", $"dotnet {program} --untuned", "--compare", known, "--json", results]) { RedirectStandardOutput = true };
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
