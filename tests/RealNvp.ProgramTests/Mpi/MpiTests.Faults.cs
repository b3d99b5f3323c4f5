using System.Diagnostics;
using System.Globalization;
using System.Text;
using RealNvp.Mpi;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Mpi;

/// <content>Processes that are killed, throw, are slow, or are not like the others.</content>
public partial class MpiTests
{
    public static TheoryData<string, int> LaunchersAndRanks => new() { { "mpirun.openmpi", 0 }, { "mpirun.openmpi", 1 },
        { "mpirun.mpich", 0 }, { "mpirun.mpich", 1 } };

    [SlowTheory, MemberData(nameof(LaunchersAndRanks))]
    public void A_process_that_is_killed_ends_all_and_resume_goes_on_to_the_losses_of_an_undisturbed_run(string launcher, int victim)
    {
        MpiRun.Need(launcher);
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.At("victim"), $"{victim}");
        var watch = new Stopwatch();
        using (var running = MpiRun.Start(MpiRun.Launch(launcher, 2), typeof(MpiTests), nameof(Trains_until_it_is_killed), folder.Path))
        {
            var from = Stopwatch.StartNew();
            while (!(File.Exists(folder.At("0.pid")) && File.Exists(folder.At("1.pid"))) && from.Elapsed.TotalSeconds < 100
                && !running.HasEnded) Thread.Sleep(100);
            int Pid(int rank) => int.Parse(File.ReadAllText(folder.At($"{rank}.pid")), CultureInfo.InvariantCulture);
            using var killed = Process.GetProcessById(Pid(victim));
            using var other = Process.GetProcessById(Pid(1 - victim));
            watch.Start();
            killed.Kill();
            var (code, said) = running.End(TimeSpan.FromSeconds(30));
            other.WaitForExit(TimeSpan.FromSeconds(30) - watch.Elapsed).Should().BeTrue("no process may be left behind");
            watch.Elapsed.TotalSeconds.Should().BeLessThan(30);
            code.Should().NotBe(0);
            said.Should().MatchRegex("(?i)signal 9|killed");
        }
        var undisturbed = Losses(Train(null, options with { Epochs = 6 }));
        // on one process, and on as many as before
        using var scope = NewDisposeScope();
        using var model = Model(7);
        File.Copy(folder.At("training.safetensors"), folder.At("copy.safetensors"));
        using var trainer = Trainer.Resume(folder.At("copy.safetensors"), model, o => o with { Epochs = 6, CheckpointPath = null });
        trainer.Step.Should().BePositive();
        Losses(trainer.Fit(TrainingData.From(Rows(100)))).Should().Equal(undisturbed);
        var (again, heard) = MpiRun.Run(MpiRun.Launch(launcher, 2), typeof(MpiTests), nameof(Goes_on), folder.Path);
        again.Should().Be(0, heard);
        foreach (var rank in new[] { 0, 1 }) File.ReadAllLines(folder.At($"{rank}.txt")).Should().Equal(undisturbed);
    }

    [Fact(Explicit = true)]
    public void Goes_on()
    {
        if (MpiRun.Folder is not { } folder) return;
        MpiExchange.Run(exchange =>
        {
            using var scope = NewDisposeScope();
            using var model = Model(8 + exchange.Rank);
            using var trainer = Trainer.Resume(Path.Combine(folder, "training.safetensors"), model, o => o with { Epochs = 6 });
            trainer.Exchange = exchange;
            File.WriteAllLines(Path.Combine(folder, $"{exchange.Rank}.txt"), Losses(trainer.Fit(TrainingData.From(Rows(100))
                .Shard(exchange))));
        });
    }

    [Fact(Explicit = true)]
    public void Trains_until_it_is_killed()
    {
        if (MpiRun.Folder is not { } folder) return;
        MpiExchange.Run(exchange =>
        {
            using var scope = NewDisposeScope();
            using var model = Model(1);
            using var trainer = new Trainer(model,
                options with { Epochs = 6, CheckpointPath = Path.Combine(folder, "training.safetensors") })
            { Exchange = exchange, BucketBytes = 300 };
            var victim = int.Parse(File.ReadAllText(Path.Combine(folder, "victim")), CultureInfo.InvariantCulture);
            trainer.AfterBackward = step =>
            {
                // in the third epoch, after checkpoints of two; the other waits for this one in the next step
                if (step.Step < 8) return;
                var part = Path.Combine(folder, $"{exchange.Rank}.part");
                File.WriteAllText(part, $"{Environment.ProcessId}");
                File.Move(part, Path.Combine(folder, $"{exchange.Rank}.pid"), overwrite: true);
                if (exchange.Rank == victim) Thread.Sleep(TimeSpan.FromMinutes(2));
            };
            trainer.Fit(TrainingData.From(Rows(100)).Shard(exchange));
        });
    }

    [SlowTheory, MemberData(nameof(Launchers))]
    public void A_process_that_throws_ends_all_with_its_message_and_a_slow_one_only_slows(string launcher)
    {
        MpiRun.Need(launcher);
        using var folder = new TemporaryFolder();
        var (code, said) = MpiRun.Run(MpiRun.Launch(launcher, 2), typeof(MpiTests), nameof(Throws), folder.Path);
        code.Should().NotBe(0);
        said.Should().Contain("Process 1 of 2 ends the training of all").And.Contain("the disk is gone");
        // longer than an exchange may be silent on a network that is well, and the losses are those of one process
        var expected = Losses(Train(null, options with { Epochs = 2 }));
        foreach (var rank in new[] { 0, 1 })
        {
            var lines = File.ReadAllLines(folder.At($"{rank}.txt"));
            double.Parse(lines[0], CultureInfo.InvariantCulture).Should().BeGreaterThan(2 * 3 * Slowness.TotalSeconds,
                "both wait for the slow one in each of six steps");
            lines[1..].Should().Equal(expected);
        }
    }

    private static TimeSpan Slowness => TimeSpan.FromSeconds(3);

    [Fact(Explicit = true)]
    public void Throws()
    {
        if (MpiRun.Folder is not { } folder) return;
        MpiExchange.Run(exchange =>
        {
            using var scope = NewDisposeScope();
            using var model = Model(1);
            using (var slow = new Trainer(model, options with { Epochs = 2 }) { Exchange = exchange })
            {
                var watch = Stopwatch.StartNew();
                slow.AfterBackward = _ => Thread.Sleep(exchange.Rank == 1 ? Slowness : TimeSpan.Zero);
                var result = slow.Fit(TrainingData.From(Rows(100)).Shard(exchange));
                result.Reason.Should().Be(StopReason.Finished);
                File.WriteAllLines(Path.Combine(folder, $"{exchange.Rank}.txt"),
                    [watch.Elapsed.TotalSeconds.ToString(CultureInfo.InvariantCulture), .. Losses(result)]);
            }
            using var trainer = new Trainer(model, options) { Exchange = exchange };
            trainer.AfterBackward = step =>
            {
                if (exchange.Rank == 1 && step.Step == 2) throw new IOException("the disk is gone");
            };
            trainer.Fit(TrainingData.From(Rows(100)).Shard(exchange));
        });
    }

    public static TheoryData<string, string, string> Leavings
    {
        get
        {
            var all = new TheoryData<string, string, string>();
            foreach (var launcher in new[] { "mpirun.openmpi", "mpirun.mpich" })
            {
                all.Add(launcher, "trains alone", "process 1 has come to the end of its program");
                all.Add(launcher, "trains once more", "process 1 has come to the end of its program");
                all.Add(launcher, "disposes while it trains", "is disposed while a training uses it");
                all.Add(launcher, "exits", "Process 1 of 2 ends before it has disposed");
            }
            return all;
        }
    }

    [SlowTheory, MemberData(nameof(Leavings))]
    public void A_process_that_others_would_wait_for_in_vain_ends_all_with_a_message(string launcher, string what, string message)
    {
        MpiRun.Need(launcher);
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.At("what"), what);
        var (code, said) = MpiRun.Run(MpiRun.Launch(launcher, 2), typeof(MpiTests), nameof(Leaves), folder.Path);
        code.Should().NotBe(0, said);
        said.Should().Contain(message);
    }

    [Fact(Explicit = true)]
    public void Leaves()
    {
        if (MpiRun.Folder is not { } folder) return;
        var what = File.ReadAllText(Path.Combine(folder, "what"));
        MpiExchange.Run(exchange =>
        {
            if (what != "trains alone") Fit(_ => { });
            if (what is "trains alone" or "trains once more" && exchange.Rank == 0) Fit(_ => { });
            if (what is "disposes while it trains" or "exits")
                Fit(_ =>
                {
                    if (exchange.Rank == 0) return;
                    if (what == "exits") Environment.Exit(0);
                    exchange.Dispose();
                });

            void Fit(Action<GradientStep> hook)
            {
                using var scope = NewDisposeScope();
                using var model = Model(1);
                using var trainer = new Trainer(model, options) { Exchange = exchange, AfterBackward = hook };
                trainer.Fit(TrainingData.From(Rows(100)).Shard(exchange));
            }
        });
    }

    [SlowTheory, MemberData(nameof(Launchers))]
    public void Other_options_on_a_process_are_refused_at_the_start(string launcher)
    {
        MpiRun.Need(launcher);
        using var folder = new TemporaryFolder();
        var (code, said) = MpiRun.Run(MpiRun.Launch(launcher, 2), typeof(MpiTests), nameof(Has_other_options), folder.Path);
        code.Should().NotBe(0);
        said.Should().Contain("another record of options of the training than process 0").And.Contain("0.007");
        folder.Names.Should().NotContain(n => n.EndsWith(".step", StringComparison.Ordinal));
    }

    [Fact(Explicit = true)]
    public void Has_other_options()
    {
        if (MpiRun.Folder is not { } folder) return;
        MpiExchange.Run(exchange =>
        {
            using var scope = NewDisposeScope();
            using var model = Model(1);
            using var trainer = new Trainer(model, options with { LearningRate = exchange.Rank == 0 ? 0.001 : 0.007 })
            { Exchange = exchange };
            trainer.AfterBackward = _ => File.WriteAllText(Path.Combine(folder, $"{exchange.Rank}.step"), "");
            trainer.Fit(TrainingData.From(Rows(100)).Shard(exchange));
        });
    }

    [SlowTheory, MemberData(nameof(Launchers))]
    public void A_process_with_another_version_of_the_library_is_refused_at_the_start(string launcher)
    {
        MpiRun.Need(launcher);
        using var folder = new TemporaryFolder();
        var program = MpiRun.Sample("Table");
        var other = WithAnotherVersion(Path.GetDirectoryName(program)!, folder.At("other"));
        string[] Of(string dll, string into) => ["-n", "1", "dotnet", dll, "--mpi", "--epochs", "2", "--out", folder.At(into)];
        // one launch of two programs
        var launch = MpiRun.Launch(launcher, 1)[..^2];
        var (code, said) = MpiRun.Program([.. launch, .. Of(program, "a"), ":",
            .. Of(Path.Combine(folder.At("other"), Path.GetFileName(program)), "b")], folder.Path);
        code.Should().NotBe(0, said);
        said.Should().Contain("another version of the library than process 0").And.Contain($"Here: {other}. There: ");
        File.Exists(folder.At("a/model.safetensors")).Should().BeFalse();
    }

    // the program's folder, with a library that says another version of itself
    private static string WithAnotherVersion(string from, string into)
    {
        const string Library = "RealNvp.dll";
        Directory.CreateDirectory(into);
        foreach (var file in Directory.GetFiles(from))
            if (Path.GetExtension(file) is ".dll" or ".json" && Path.GetFileName(file).StartsWith("RealNvp", StringComparison.Ordinal))
                File.Copy(file, Path.Combine(into, Path.GetFileName(file)));
            else File.CreateSymbolicLink(Path.Combine(into, Path.GetFileName(file)), file);
        foreach (var below in Directory.GetDirectories(from))
            Directory.CreateSymbolicLink(Path.Combine(into, Path.GetFileName(below)), below);
        var bytes = File.ReadAllBytes(Path.Combine(into, Library));
        var version = FileVersionInfo.GetVersionInfo(Path.Combine(into, Library)).ProductVersion!;
        var other = "9" + version[1..];
        var at = bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes(version));
        at.Should().BePositive();
        Encoding.UTF8.GetBytes(other).CopyTo(bytes, at);
        File.WriteAllBytes(Path.Combine(into, Library), bytes);
        return other;
    }
}
