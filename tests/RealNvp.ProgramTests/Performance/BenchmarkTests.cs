using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using RealNvp.Benchmarks;
using RealNvp.Benchmarks.Presets;
using RealNvp.Benchmarks.Scaling;
using RealNvp.Samples.Common;
using RealNvp.Tests.Infrastructure;
using TorchSharp;

namespace RealNvp.Tests.Performance;

public class BenchmarkTests
{
    // its log-probability takes a minute
    private const string Slow = "residual28_b16";

    public static TheoryData<string> Names => [.. Cases.All.Select(c => c.Name).Where(name => name != Slow)];

    [Fact]
    [LeavesNoTensors]
    public void A_worker_answers_each_command_with_a_line()
    {
        var output = new StringWriter();
        var toy = Cases.All.First(c => c.Name == "toy2d_affine_b256");
        Worker.Serve(toy, 1, cuda: false, tuned: false,
            new StringReader("time logprob 2\nnonsense\ntime sample 3\ncount sample\nquit\ntime train 1\n"),
            output).Should().Be(0);
        var lines = output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        lines.Should().HaveCount(4);
        Protocol.Read<Ready>(lines[0]).Should().Match<Ready>(r => r.Peer == "RealNvp" && r.Params > 30_000 && !r.Tuned);
        var sample = Protocol.Read<Timed>(lines[2]);
        sample.Times.Should().HaveCount(3).And.OnlyContain(t => t > 0);
        (sample.Phase, sample.ManagedBytes).Should().Be(("sample", null));
        var count = Protocol.Read<Timed>(lines[3]);
        (count.Phase, count.Times.Count, count.ManagedBytes > 0).Should().Be(("sample", 0, true));
    }

    [Fact]
    public void Steps_of_several_processes_are_forecast_by_what_a_step_exchanges()
    {
        // one sum of few numbers, and the gradients with the loss; batch normalization sums in addition
        var (plain, images) = (ScalingCase.All.Single(c => c.Name == "`Toy2D`"), ScalingCase.All.Single(c => c.Name == "`Digits8x8`"));
        var sums = plain.Sums();
        sums[0].Should().BeLessThan(100);
        sums.Sum().Should().BeInRange(plain.Weights * 4, (plain.Weights * 4) + 2000);
        images.Sums().Should().HaveCountGreaterThan(10 + sums.Count);

        var network = new Network("a network", 1e-3, 1e-6);
        network.Sum(1, 1000).Should().Be(0);
        network.Sum(4, 1000).Should().BeApproximately((2 * 2 * 1e-3) + (2 * 0.75 * 1e-3), 1e-12);
        ScalingStudy.Exchanged(network, 2, [0, 1000]).Should().BeApproximately((2 * 2e-3) + 1e-3, 1e-12);
        var found = Network.Of("found", network.Sum(2, 0), network.Sum(2, 5000), 5000);
        found.Alpha.Should().BeApproximately(1e-3, 1e-12);
        found.Beta.Should().BeApproximately(1e-6, 1e-12);

        using var output = new StringWriter();
        ScalingStudy.Run(output, [plain], TimeSpan.FromSeconds(0.02));
        output.ToString().Should().MatchRegex(@"`Toy2D` \| 0\.\d+ M \| \d+ \| 0\.\d+ MB \| \d+\.\d \|")
            .And.MatchRegex(@"\| \d+ % \(\d+ %\) \|");
    }

    [Fact]
    [LeavesNoTensors]
    public void What_does_not_divide_is_timed_and_a_billion_rows_are_those_of_the_rate()
    {
        // batches of B rows have |g|² = |G|² + tr(Σ)/B, here with |G|² = 2 and tr(Σ) = 600
        ScalingStudy.NoiseScale(2 + (600.0 / 64), 64, 2 + (600.0 / 4096), 4096).Should().BeApproximately(300, 1e-9);

        using var output = new StringWriter();
        ScalingStudy.Others(output, TimeSpan.FromSeconds(0.02), rows: 600, repeats: 1);
        var lines = output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        lines.Should().HaveCount(7);
        double[] Numbers(string line) => [.. Regex.Matches(line, @"\d[\d,]*(\.\d+)?").Select(m => double.Parse(m.Value,
            CultureInfo.InvariantCulture))];
        Numbers(lines[0])[0].Should().Be(64);
        Numbers(lines[1])[0].Should().Be(65_536);
        Numbers(lines[1])[1].Should().BeGreaterThan(Numbers(lines[0])[1], "noise of more digits takes longer");
        lines[2].Should().MatchRegex("^order of a million rows, for one of two processes: [1-9]\\d* ms$");
        var (rate, hours, minutes) = Numbers(lines[3]) is [var r, var h, _, var m] ? (r, h, m) : default;
        rate.Should().BeGreaterThan(100);
        hours.Should().BeApproximately(1e9 / rate / 3600, 0.06);
        minutes.Should().BeApproximately(1e9 / rate / 60 / 64, 0.06);
        lines[4..].Select(l => Regex.Replace(l, @"-?\d+ rows$", "n rows")).Should().Equal(
            new[] { 0, 1, 4 }.Select(epochs => $"scale of the gradient's noise after {epochs} more epoch(s): n rows"));
    }

    [Fact]
    [LeavesNoTensors]
    public void A_cold_worker_says_its_first_score_and_ends_with_its_input()
    {
        var output = new StringWriter();
        Worker.Cold(Cases.Find("row_toy2d_b1"), 1, tuned: false, new StringReader(""), output).Should().Be(0);
        Protocol.Read<Timed>(output.ToString()).Phase.Should().Be("cold");
    }

    [Fact]
    [LeavesNoTensors]
    public void A_row_is_scored_encoded_decoded_and_sampled_and_its_weights_are_read()
    {
        var output = new StringWriter();
        var row = Cases.Find("row_maf_b4");
        var commands = string.Concat(row.Phases.Where(p => p != "cold").Select(p => $"time {p} 2\n"));
        Worker.Serve(row, 1, cuda: false, tuned: false, new StringReader(commands), output).Should().Be(0);
        output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(1).Select(l => Protocol.Read<Timed>(l).Phase)
            .Should().Equal("logprob", "encode", "decode", "sample", "span", "collecting", "scorer", "scorer-sample", "read");

        using var scope = torch.NewDisposeScope();
        using var flow = row.Make();
        var sum = flow.parameters().Aggregate(torch.zeros(1), (all, p) => all + p.detach().sum());
        new WeightReading(flow.parameters()).Read().Should().BeApproximately(sum.ToSingle(), 0.01f);
    }

    [Fact]
    [LeavesNoTensors]
    public void Slow_calls_are_counted_beside_stretches_and_readings_and_each_is_written_down()
    {
        using StringWriter output = new(), trace = new();
        SlowCalls.Run(output, Program.Chosen("row_rqs2d_b1", "span"), "span", 200, TimeSpan.FromSeconds(0.1), trace);
        var cells = output.ToString().Split('\n')[2].Split('|', StringSplitOptions.TrimEntries)[1..^1];
        cells[..3].Should().SatisfyRespectively(name => name.Should().Be("row_rqs2d_b1"), phase => phase.Should().Be("span"),
            median => median.Should().MatchRegex(@"^\d+\.\d \[\d+\.\d\]$"));
        var numbers = cells[3..].Select(cell => double.Parse(cell, CultureInfo.InvariantCulture)).ToArray();
        numbers[..3].Should().OnlyContain(tail => tail >= 1);
        numbers[4..8].Sum().Should().BeLessThanOrEqualTo(4 * numbers[3]);
        numbers[8].Should().BeLessThanOrEqualTo(numbers[3]);
        var lines = trace.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        lines.Should().HaveCount(600).And.OnlyContain(line =>
            Regex.IsMatch(line, "^row_rqs2d_b1,span,(call|stretch|reading),[0-9]+,[0-9]+\\r?$"));
        var starts = lines.Where(line => line.Contains(",call,")).Select(line => long.Parse(line.Split(',')[3])).ToArray();
        starts.Should().BeInAscendingOrder();
    }

    [Fact]
    [LeavesNoTensors]
    public void Rows_beside_a_thread_that_collects_are_timed_with_the_number_of_collections()
    {
        var output = new StringWriter();
        var row = Cases.Find("row_toy2d_b1");
        Worker.Serve(row, 1, cuda: false, tuned: false, new StringReader("time collecting 2000\n"), output).Should().Be(0);
        var timed = Protocol.Read<Timed>(output.ToString().Split('\n')[1]);
        timed.Collections.Should().BePositive();
        var ready = new Ready(Report.Ours, row.Name, row.Phases, 1, "", true);
        var m = Measurement.Of(ready, row, "collecting", 1, timed, [timed, timed]);
        (m.Collections, m.P99 >= m.Median).Should().Be((2 * timed.Collections, true));
        Report.Row(m).Should().EndWith($"; {m.Collections} collections in 4000 calls");
        string.Join('\n', MarkdownTable.Of([m])).Should().Contain($"collecting ({m.Collections} collections in 4000 calls)");
    }

    [Fact]
    [LeavesNoTensors]
    public void The_best_product_is_asked_of_the_libraries_of_this_process()
    {
        var output = new StringWriter();
        Worker.Serve(ProductWorkload.Case, 1, cuda: false, tuned: false, new StringReader("time mkl 1\ntime onednn 1\n"), output).Should()
            .Be(0);
        var lines = output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Protocol.Read<Ready>(lines[0]).Phases.Should().Equal("mkl", "onednn");
        lines.Should().HaveCount(3);
    }

    private static Measurement Line(string peer, double ms, bool steady, string machine = "a machine") =>
        new(peer, "tab_affine_b512", "logprob", 2, ms, ms, ms, 8, 100, 90, "2.6", peer != Report.Ours, 5) { P90 = ms, Peak = 200,
            BestProduct = 125, GigaFlop = 1, Turns = 16, SteadyTurns = steady ? 8 : 3, IsSteady = steady, Machine = machine, Speed = 0.7 };

    [Fact]
    public void A_ratio_of_a_machine_that_was_not_steady_says_so_on_the_console_in_the_table_and_in_the_file()
    {
        foreach (var steady in (bool[])[true, false])
        {
            var (ours, peer) = (Line(Report.Ours, 10, steady), Line("other", 25, steady));
            Report.Ratio(peer, ours).Contains("NOT steady").Should().Be(!steady);
            Report.Row(ours).Contains("NOT steady, all turns count; machine at 70 %").Should().Be(!steady);
            var table = string.Join('\n', MarkdownTable.Of([ours, peer]));
            table.Should().Contain(steady ? "other 25.0: **2.50×**" : "other 25.0: ~**2.50×**").And.Contain(steady ? "8 of 16" : "3 of 16");
            table.Contains("fewer than four turns").Should().Be(!steady);
            Protocol.Write(ours).Should().Contain(steady ? "\"is_steady\":true" : "\"is_steady\":false");
        }
    }

    [Fact]
    public void The_floor_is_the_peak_of_the_same_run_and_each_machine_has_its_table()
    {
        // a peak that was found later in a run is that of all its cases
        var lines = MarkdownTable.Of([Line(Report.Ours, 10, true) with { Peak = 150, BestProduct = 100 },
            Line(Report.Ours, 20, true, "another"), Line("other", 25, true)]).ToArray();
        lines.Where(l => l.Contains("GFLOP/s")).Should().HaveCount(2).And.OnlyContain(l => l.Contains("200 GFLOP/s at the most")
            && l.Contains("125"));
        // a GFLOP at 200 GFLOP/s is 5 ms, half of ours and a quarter of the other's; at 125 it is 8
        lines.Single(l => l.Contains("| 10.0 (")).Should().Contain("| 50 % | 80 % |").And.Contain("2.50×");
        lines.Single(l => l.Contains("| 20.0 (")).Should().Contain("| 25 % | 40 % |").And.NotContain("×");
        // 100 GFLOP/s are half of a product that took its turns with us
        MarkdownTable.Of([Line(Report.Ours, 10, true) with { ProductInTurns = 200 }]).Last().Should().Contain("| 50 % | 80 % (50 %) |");
    }

    [Fact]
    public void Percentiles_are_of_all_rounds()
    {
        var ready = new Ready("RealNvp", "row_maf_b1", ["logprob"], 1, "", true);
        var timed = new Timed("logprob", [.. Enumerable.Range(1, 200).Select(i => (double)i)], 0, 0);
        var m = Measurement.Of(ready, Cases.Find("row_maf_b1"), "logprob", 1, timed, [timed]);
        (m.Median, m.P90, m.P99, m.Max).Should().Be((100.5, 180, 198, 200));
        Measurement.Of(ready, Cases.Find("row_maf_b1"), "logprob", 1, timed, [timed with { Times = [1, 2] }]).P99.Should().BeNull();
    }

    [SlowFact]
    [LeavesNoTensors]
    public void A_slow_case_makes_a_flow_whose_density_is_that_of_its_samples() =>
        Every_case_makes_a_flow_whose_density_is_that_of_its_samples(Slow);

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
        var info = new ProcessStartInfo("dotnet", [program, "--case", "toy2d_affine_b256", "--phase", "logprob", "--rounds", "8",
            "--threads", "1",
            "--peer", $"dotnet {program} --untuned", "--compare", known, "--json", results]) { RedirectStandardOutput = true };
        using var process = Process.Start(info)!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        process.ExitCode.Should().Be(0);
        output.Should().MatchRegex(@"toy2d_affine_b256\s+logprob").And.MatchRegex(@"other, tuned\s+1000\.000.*times ours");
        var lines = File.ReadLines(results).Select(Protocol.Read<Measurement>).ToArray();
        lines.Should().HaveCount(2).And.OnlyContain(m => m.Rounds == 8 && m.Threads == 1 && m.Median > 0 && m.Peak > 1
            && m.BestProduct > 1);
        lines.Select(m => m.Tuned).Should().Equal(true, false);
    }
}
