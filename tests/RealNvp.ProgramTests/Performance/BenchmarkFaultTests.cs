using RealNvp.Benchmarks;
using RealNvp.Operations;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Performance;

/// <summary>What the benchmark says of peers that fail, of files that are no results, and of options that mean nothing.</summary>
public class BenchmarkFaultTests
{
    private static readonly TimeSpan patience = TimeSpan.FromSeconds(60);

    private const string Ready = """{"peer": "other", "case": "a", "phases": ["train"], "torch": "0", "tuned": false, "params": 1}""";

    // a worker in a shell: it says what it is, and its answers come after a line of a library's
    private static string[] Worker(TemporaryFolder folder, string answer, string? ready = Ready)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "the worker of this test is a script of a shell");
        var script = folder.At(Guid.NewGuid().ToString("N") + ".sh");
        File.WriteAllText(script, $"""
            echo a warning
            {(ready is null ? "" : $"echo '{ready}'")}
            while read word phase count; do
              echo another warning
              {answer}
            done

            """);
        return ["sh", script];
    }

    [Fact]
    public void What_libraries_print_is_no_answer()
    {
        using var folder = new TemporaryFolder();
        using var worker = WorkerProcess.Start(Worker(folder,
            """echo '{"phase": "train", "times": [1.5, 2], "peak_rss_mb": 1, "rss_before_mb": 1}'"""), patience)!;
        worker.Time("train", 2)!.Times.Should().Equal(1.5, 2);
        worker.Time("sample", 2).Should().BeNull("it has no such phase");
        worker.IsOut.Should().BeFalse();
    }

    [Fact]
    public void A_worker_that_still_compiles_is_warmed_up_until_it_does_not()
    {
        using var folder = new TemporaryFolder();
        var calls = folder.At("calls");
        // eight answers with something new, longer than the time to warm up
        using var worker = WorkerProcess.Start(Worker(folder, $$"""
            n=$((n+1)); echo $n > {{calls}}; [ $n -gt 8 ] || sleep 0.3
            echo "{\"phase\": \"train\", \"times\": [1], \"peak_rss_mb\": 1, \"rss_before_mb\": $n, \"compiled\": $((n < 8 ? n : 8))}"
            """), patience)!;
        Conductor.Warm(worker, "train", 3, TimeSpan.FromSeconds(1))!.RssBeforeMb.Should().Be(1, "that was before the first call");
        int.Parse(File.ReadAllText(calls), System.Globalization.CultureInfo.InvariantCulture).Should().BeGreaterThan(8);
        // one that never ends to compile is timed all the same
        using var restless = WorkerProcess.Start(Worker(folder, """
            n=$((n+1)); sleep 0.05
            echo "{\"phase\": \"train\", \"times\": [1], \"peak_rss_mb\": 1, \"rss_before_mb\": 1, \"compiled\": $n}"
            """), patience)!;
        Conductor.Warm(restless, "train", 3, TimeSpan.FromSeconds(0.1)).Should().NotBeNull();
    }

    [Theory]
    [InlineData("exit 5")]
    [InlineData("echo '{\"phase\": \"tra'")]
    [InlineData("echo '{\"phase\": \"sample\", \"times\": [1], \"peak_rss_mb\": 1, \"rss_before_mb\": 1}'")]
    [InlineData("echo '{\"phase\": \"train\", \"times\": [], \"peak_rss_mb\": 1, \"rss_before_mb\": 1}'")]
    [InlineData("echo '{\"phase\": \"train\", \"times\": [-1], \"peak_rss_mb\": 1, \"rss_before_mb\": 1}'")]
    public void A_worker_that_ends_or_gives_no_answer_is_left_out(string answer)
    {
        using var folder = new TemporaryFolder();
        using var worker = WorkerProcess.Start(Worker(folder, answer), patience)!;
        worker.Time("train", 1).Should().BeNull();
        worker.IsOut.Should().BeTrue();
        worker.Time("train", 1).Should().BeNull("it is not asked again");
    }

    [Fact]
    public void A_worker_that_says_nothing_is_ended()
    {
        using var folder = new TemporaryFolder();
        var mark = folder.At("pid");
        using var worker = WorkerProcess.Start(Worker(folder, $"echo $$ > {mark}; exec sleep 600"), TimeSpan.FromSeconds(3))!;
        worker.Time("train", 1).Should().BeNull();
        worker.IsOut.Should().BeTrue();
        var gone = () => System.Diagnostics.Process.GetProcessById(int.Parse(File.ReadAllText(mark),
            System.Globalization.CultureInfo.InvariantCulture));
        gone.Should().Throw<ArgumentException>("the process has ended");
    }

    [Fact]
    public void A_program_that_is_not_there_or_is_no_worker_is_an_error_that_names_it()
    {
        using var folder = new TemporaryFolder();
        var missing = () => WorkerProcess.Start([folder.At("none"), "--peer", "a"], patience);
        missing.Should().Throw<BenchmarkException>().WithMessage("*none --peer a --serve' did not start*");
        var silent = () => WorkerProcess.Start([.. Worker(folder, "exit 1", ready: null)[..1], "-c", "exit 3"], patience);
        silent.Should().Throw<BenchmarkException>().WithMessage("*ended with code 3 before it answered*");
        var other = () => WorkerProcess.Start(Worker(folder, "exit 1", """{"peer": "a"}"""), patience);
        other.Should().Throw<BenchmarkException>().WithMessage("*said what is no answer*{\"peer\": \"a\"}*");
        WorkerProcess.Start(Worker(folder, "exit 1", """{"error": "no such case"}"""), patience).Should().BeNull();
    }

    [Fact]
    public void A_file_that_is_no_result_is_an_error_with_its_line()
    {
        using var folder = new TemporaryFolder();
        var file = folder.At("results.jsonl");
        var whole = Protocol.Write(new Measurement("other", "a", "train", 1, 2, 1, 3, 8, 1, 1, "0", false, 1));
        File.WriteAllText(file, $"# of a peer\n{whole}\n\n{whole}\n");
        Measurement.ReadAll(file).Should().HaveCount(2);
        foreach (var bad in (string[])[whole[..(whole.Length / 2)], whole[(whole.Length / 2)..], "{}", "[1]", "null"])
        {
            File.WriteAllText(file, $"{whole}\n{bad}");
            var read = () => Measurement.ReadAll(file);
            read.Should().Throw<BenchmarkException>().WithMessage($"*results.jsonl', line 2, is no result*");
        }
        var missing = () => Measurement.ReadAll(folder.At("none"));
        missing.Should().Throw<BenchmarkException>().WithMessage("*none' cannot be read*");
    }

    [Theory]
    [InlineData("--threads", "0", "expected 1 to 1024")]
    [InlineData("--rounds", "0", "expected 1 to")]
    [InlineData("--turns", "-1", "expected 1 to")]
    [InlineData("--warm-up", "NaN", "expected 0 to")]
    [InlineData("--patience", "0", "expected 0.001 to")]
    [InlineData("--threads", "two", "two")]
    [InlineData("--device", "gpu", "gpu")]
    [InlineData("--without", "Spine", "Spine")]
    [InlineData("--case", "nothing", "No case has 'nothing' in its name")]
    [InlineData("--phase", "walk", "has the phase 'walk'")]
    [InlineData("--table", "there-is-none", "cannot be read")]
    [InlineData("--compare", "there-is-none", "cannot be read")]
    [InlineData("--peer", " ", "--peer is empty")]
    public void An_option_that_means_nothing_is_an_error_before_any_work(string option, string value, string says)
    {
        var (before, error) = (Console.Error, new StringWriter());
        Console.SetError(error);
        try
        {
            Benchmarks.Program.Main([option, value]).Should().Be(1);
        }
        finally { Console.SetError(before); }
        error.ToString().Should().Contain(says);
    }

    [Fact]
    public void Every_switch_of_the_library_can_be_turned_off() => Benchmarks.Program.Kernels.Should()
        .Contain([nameof(KernelSwitches.Leaves), nameof(KernelSwitches.ResidualNet), nameof(KernelSwitches.Rows)]).And.HaveCount(17);

    [Fact]
    public void A_name_that_is_one_case_is_not_those_that_contain_it()
    {
        Benchmarks.Program.Chosen("row_toy2d_b1", null).Select(c => c.Name).Should().Equal("row_toy2d_b1");
        Benchmarks.Program.Chosen("row_toy2d", "cold").Select(c => c.Name).Should().Equal("row_toy2d_b1");
        Benchmarks.Program.Chosen(null, null).Should().HaveCount(Cases.All.Count);
    }
}
