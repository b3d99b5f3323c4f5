using System.Diagnostics;
using System.Globalization;
using RealNvp.Mpi;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Mpi;

/// <summary>The exchange over MPI: real processes where a launcher is on the machine, and what can be said without one.</summary>
public class MpiTests
{
    public static TheoryData<string> Launchers => MpiRun.Launchers;

    private static readonly TrainingOptions options = new() { Epochs = 3, BatchSize = 40, Seed = 3, AverageDecay = 0.9 };

    private static Tensor Rows(long n) => randn([n, 3], dtype: float64, generator: new Generator(4)).mul(3);

    private static RealNvpModel Model(long seed)
    {
        var model = new RealNvpModel(RealNvpOptions.Tabular(3) with { Layers = 3, Hidden = 8, FlowBatchNorm = true }, seed);
        model.to(float64);
        return model;
    }

    private static string[] Losses(TrainingResult result) => [.. result.History.SelectMany(h => new[] { h.Loss, h.ValidationLoss!.Value })
        .Select(v => v.ToString("G9", CultureInfo.InvariantCulture))];

    private static TrainingResult Train(IGradientExchange? exchange, TrainingOptions how, long seed = 1)
    {
        using var scope = NewDisposeScope();
        using var model = Model(seed);
        // gradients are summed in parts while the backward pass goes on
        using var trainer = new Trainer(model, how) { Exchange = exchange, BucketBytes = 300 };
        var data = TrainingData.From(Rows(100));
        return trainer.Fit(exchange is null ? data : data.Shard(exchange));
    }

    [Theory, MemberData(nameof(Launchers))]
    public void Two_processes_of_mpirun_train_to_the_losses_of_one(string launcher)
    {
        MpiRun.Need(launcher);
        using var folder = new TemporaryFolder();
        var (code, said) = MpiRun.Run(launcher, 2, typeof(MpiTests), nameof(Trains), folder.Path);
        code.Should().Be(0, said);
        var expected = Losses(Train(null, options));
        foreach (var rank in new[] { 0, 1 })
        {
            var lines = File.ReadAllLines(folder.At($"{rank}.txt"));
            lines[0].Should().Contain(launcher.EndsWith("mpich", StringComparison.Ordinal) ? "MPICH" : "Open MPI");
            lines[1..].Should().Equal(expected);
        }
    }

    [Fact(Explicit = true)]
    public void Trains()
    {
        if (MpiRun.Folder is not { } folder) return;
        MpiExchange.Run(exchange =>
        {
            Sums(exchange);
            var result = Train(exchange, options, seed: 1 + exchange.Rank);
            File.WriteAllLines(Path.Combine(folder, $"{exchange.Rank}.txt"), [exchange.Version, .. Losses(result)]);
            FluentActions.Invoking(() => new MpiExchange()).Should().Throw<InvalidOperationException>().WithMessage("*begins but once*");
        });
    }

    // in parts of seven elements: what a count of 2^31 and more needs
    private static void Sums(MpiExchange exchange)
    {
        using var scope = NewDisposeScope();
        foreach (var most in new[] { 1 << 28, 7 })
        {
            exchange.MostElements = most;
            foreach (var dtype in new[] { float32, float64 })
            {
                var values = arange(100, dtype: dtype).mul(exchange.Rank + 1);
                exchange.Sum(values);
                var expected = arange(100, dtype: dtype).mul(exchange.Size * (exchange.Size + 1) / 2);
                values.equal(expected).all().item<bool>().Should().BeTrue();
                // three sums that have begun, and one between them that has no order with them
                Tensor[] begun = [.. Enumerable.Range(0, 3).Select(i => arange(100, dtype: dtype).mul(exchange.Rank + 1).add(i))];
                if (exchange.Rank == 0) exchange.Sum(values);
                foreach (var bucket in begun) exchange.BeginSum(bucket);
                if (exchange.Rank != 0) exchange.Sum(values);
                exchange.EndSums();
                for (var i = 0; i < 3; i++)
                    begun[i].equal(expected.add(i * exchange.Size)).all().item<bool>().Should().BeTrue();
                values.equal(expected.mul(exchange.Size)).all().item<bool>().Should().BeTrue();
            }
            var bytes = arange(30, dtype: ScalarType.Byte).add(exchange.Rank).to(ScalarType.Byte);
            exchange.Broadcast(bytes, 1);
            bytes[0].item<byte>().Should().Be(1);
            bytes[29].item<byte>().Should().Be(30);
        }
        exchange.MostElements = 1 << 28;
        exchange.Barrier();
        exchange.Invoking(e => e.Sum(ones(3, dtype: ScalarType.Int64))).Should().Throw<ArgumentException>().WithMessage("*float32*");
        exchange.Invoking(e => e.BeginSum(ones(3, dtype: ScalarType.Int64))).Should().Throw<ArgumentException>().WithMessage("*float32*");
        exchange.Invoking(e => e.BeginSum(ones(3, 4).t())).Should().Throw<ArgumentException>().WithMessage("*contiguous*");
        exchange.Invoking(e => e.Sum(ones(3, 4).t())).Should().Throw<ArgumentException>().WithMessage("*contiguous*");
    }

    [SlowTheory, MemberData(nameof(Launchers))]
    public void A_process_that_is_killed_ends_all_and_resume_goes_on_to_the_losses_of_an_undisturbed_run(string launcher)
    {
        MpiRun.Need(launcher);
        using var folder = new TemporaryFolder();
        var watch = new Stopwatch();
        using (var running = MpiRun.Start(launcher, 2, typeof(MpiTests), nameof(Trains_until_it_is_killed), folder.Path))
        {
            var from = Stopwatch.StartNew();
            while (!File.Exists(folder.At("1.pid")) && from.Elapsed.TotalSeconds < 100 && !running.HasEnded) Thread.Sleep(100);
            using var victim = Process.GetProcessById(int.Parse(File.ReadAllText(folder.At("1.pid")), CultureInfo.InvariantCulture));
            watch.Start();
            victim.Kill();
            var (code, said) = running.End(TimeSpan.FromSeconds(30));
            watch.Elapsed.TotalSeconds.Should().BeLessThan(30);
            code.Should().NotBe(0);
            said.Should().MatchRegex("(?i)signal 9|killed");
        }
        var undisturbed = Losses(Train(null, options with { Epochs = 6 }));
        using var scope = NewDisposeScope();
        using var model = Model(7);
        using var trainer = Trainer.Resume(folder.At("training.safetensors"), model, o => o with { Epochs = 6, CheckpointPath = null });
        Losses(trainer.Fit(TrainingData.From(Rows(100)))).Should().Equal(undisturbed);
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
            trainer.AfterBackward = step =>
            {
                // in the third epoch, after checkpoints of two
                if (step.Step < 8 || exchange.Rank != 1) return;
                File.WriteAllText(Path.Combine(folder, "part"), $"{Environment.ProcessId}");
                File.Move(Path.Combine(folder, "part"), Path.Combine(folder, "1.pid"), overwrite: true);
                Thread.Sleep(TimeSpan.FromMinutes(2));
            };
            trainer.Fit(TrainingData.From(Rows(100)).Shard(exchange));
        });
    }

    [SlowTheory, MemberData(nameof(Launchers))]
    public void A_process_that_throws_ends_all_with_its_message_and_a_slow_one_only_slows(string launcher)
    {
        MpiRun.Need(launcher);
        using var folder = new TemporaryFolder();
        var (code, said) = MpiRun.Run(launcher, 2, typeof(MpiTests), nameof(Throws), folder.Path);
        code.Should().NotBe(0);
        said.Should().Contain("Process 1 of 2 ends the training of all").And.Contain("the disk is gone");
        File.ReadAllText(folder.At("slow.txt")).Should().Be("Finished");
    }

    [Fact(Explicit = true)]
    public void Throws()
    {
        if (MpiRun.Folder is not { } folder) return;
        MpiExchange.Run(exchange =>
        {
            using var scope = NewDisposeScope();
            using var model = Model(1);
            using (var slow = new Trainer(model, options with { Epochs = 1 }) { Exchange = exchange })
            {
                slow.AfterBackward = _ => Thread.Sleep(exchange.Rank == 1 ? 700 : 0);
                File.WriteAllText(Path.Combine(folder, exchange.Rank == 0 ? "slow.txt" : "other.txt"),
                    slow.Fit(TrainingData.From(Rows(100)).Shard(exchange)).Reason.ToString());
            }
            using var trainer = new Trainer(model, options) { Exchange = exchange };
            trainer.AfterBackward = step =>
            {
                if (exchange.Rank == 1 && step.Step == 2) throw new IOException("the disk is gone");
            };
            trainer.Fit(TrainingData.From(Rows(100)).Shard(exchange));
        });
    }

    [SlowTheory, InlineData("Images", "train --mpi --epochs 2 --limit 300", "train --epochs 2 --limit 300"),
        InlineData("Table", "--mpi --epochs 3", "--epochs 3")]
    public void The_samples_train_on_two_processes_to_the_model_of_one(string sample, string together, string alone)
    {
        MpiRun.Need("mpirun.openmpi");
        using var folder = new TemporaryFolder();
        var program = Repository.At("samples", sample, "bin", Repository.Configuration, "net10.0",
            System.Runtime.InteropServices.RuntimeInformation.RuntimeIdentifier, $"RealNvp.Samples.{sample}.dll");
        FlowModel Trained(string into, params string[] command)
        {
            var (code, said) = MpiRun.Program([.. command, program, .. (into == "two" ? together : alone).Split(' '), "--out",
                folder.At(into)], folder.Path);
            code.Should().Be(0, said);
            return FlowModel.Load(Path.Combine(folder.At(into), "model.safetensors"));
        }
        using var two = Trained("two", [.. MpiRun.Launch("mpirun.openmpi", 2), "dotnet"]);
        using var one = Trained("one", "dotnet");
        var others = two.state_dict();
        foreach (var (name, tensor) in one.state_dict())
            tensor.to(float64).allclose(others[name].to(float64), 1e-2, 1e-3).Should().BeTrue(name);
    }

    [Fact]
    public void A_library_that_is_not_there_or_is_none_of_MPI_is_named()
    {
        FluentActions.Invoking(() => new MpiExchange("libnothing.so.9")).Should().Throw<DllNotFoundException>()
            .WithMessage("*libnothing.so.9*openmpi-bin*REALNVP_MPI_LIBRARY*");
        if (OperatingSystem.IsLinux())
            FluentActions.Invoking(() => new MpiExchange("libc.so.6")).Should().Throw<MpiException>().WithMessage("*MPI_Init_thread*");
    }

    [Theory, InlineData("OMPI_COMM_WORLD_SIZE", "libmpi.so.40"), InlineData("PMI_SIZE", "libmpich.so.12"),
        InlineData("NONE", "libmpi.so.40")]
    public void The_library_of_the_launchers_family_is_tried_first(string variable, string first)
    {
        var launcher = MpiLauncher.Of(name => name == variable ? "4" : null);
        launcher.Size.Should().Be(variable == "NONE" ? null : 4);
        MpiLibrary.Candidates(null, launcher)[0].Should().Be(first);
        MpiLibrary.Candidates("mine.so", launcher).Should().Equal("mine.so");
    }
}
