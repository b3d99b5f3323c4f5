using System.Diagnostics;
using System.Globalization;
using System.Text;
using RealNvp.Mpi;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Mpi;

/// <summary>The exchange over MPI: real processes where a launcher is on the machine, and what can be said without one.</summary>
public partial class MpiTests
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
        TrainTogether(launcher, MpiRun.Launch(launcher, 2), folder).Distinct().Should().ContainSingle("both are on this machine");
    }

    [SlowTheory, MemberData(nameof(Launchers))]
    public void Processes_on_two_hosts_train_to_the_losses_of_one(string launcher)
    {
        MpiRun.Need(launcher);
        using var folder = new TemporaryFolder();
        using var hosts = new TwoHosts(folder.Path);
        var before = hosts.Received;
        var places = TrainTogether(launcher, hosts.Launch(launcher), folder);
        places.Distinct().Should().HaveCount(2, "each has a network of its own");
        var weights = Model(1).parameters().Sum(p => p.numel()) * sizeof(double);
        (hosts.Received - before).Should().BeGreaterThan(2 * weights, "gradients go over the cable");

        SameWeights(Weights(folder, "two", [.. hosts.Launch(launcher), "dotnet"], "Table", "--mpi --epochs 3"),
            Weights(folder, "one", ["dotnet"], "Table", "--epochs 3"));
    }

    // the network of each process
    private static string[] TrainTogether(string launcher, string[] launch, TemporaryFolder folder)
    {
        var (code, said) = MpiRun.Run(launch, typeof(MpiTests), nameof(Trains), folder.Path);
        code.Should().Be(0, said);
        var expected = Losses(Train(null, options));
        return [.. new[] { 0, 1 }.Select(rank =>
        {
            var lines = File.ReadAllLines(folder.At($"{rank}.txt"));
            lines[0].Should().Contain(launcher.EndsWith("mpich", StringComparison.Ordinal) ? "MPICH" : "Open MPI");
            lines[2..].Should().Equal(expected);
            return lines[1];
        })];
    }

    [Fact(Explicit = true)]
    public void Trains()
    {
        if (MpiRun.Folder is not { } folder) return;
        MpiExchange.Run(exchange =>
        {
            Sums(exchange);
            Threads(exchange, folder);
            var result = Train(exchange, options, seed: 1 + exchange.Rank);
            File.WriteAllLines(Path.Combine(folder, $"{exchange.Rank}.txt"), [exchange.Version,
                new FileInfo("/proc/self/ns/net").LinkTarget ?? "", .. Losses(result)]);
            FluentActions.Invoking(() => new MpiExchange()).Should().Throw<InvalidOperationException>().WithMessage("*begins but once*");
        });
    }

    // the second process comes late, and until then the first one is in a call
    private static void Threads(MpiExchange exchange, string folder)
    {
        var gone = Path.Combine(folder, "refused");
        using var one = ones(1);
        if (exchange.Rank > 0)
        {
            while (!File.Exists(gone)) Thread.Sleep(10);
            exchange.Sum(one);
            return;
        }
        var inside = new Thread(() =>
        {
            var isDone = false;
            while (!isDone)
            {
                // refused too, if the other thread is in its call at this moment
                try
                {
                    exchange.Sum(one);
                    isDone = true;
                }
                catch (InvalidOperationException) { Thread.Yield(); }
            }
        });
        inside.Start();
        var refused = 0;
        while (refused == 0 && inside.IsAlive)
        {
            // before the thread is in its call, this one is alone in one that asks nothing of others
            try
            {
                exchange.EndSums();
                Thread.Yield();
            }
            catch (InvalidOperationException e) when (e.Message.Contains("Two threads", StringComparison.Ordinal)) { refused++; }
        }
        refused.Should().Be(1);
        File.WriteAllText(gone, "");
        inside.Join();
        one.item<float>().Should().Be(exchange.Size);
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

    /// <summary>The commands of the pages that start samples by mpirun.</summary>
    public static TheoryData<string, string> Commands
    {
        get
        {
            var lines = new[] { "docs/data-parallel.md", "samples/Parquet/README.md" }
                .SelectMany(page => File.ReadLines(Repository.At(page)))
                .Where(line => line.StartsWith("OMP_NUM_THREADS=1 mpirun", StringComparison.Ordinal)
                    && line.Contains("samples/", StringComparison.Ordinal)).Distinct().ToArray();
            var all = new TheoryData<string, string>();
            foreach (var launcher in new[] { "mpirun.openmpi", "mpirun.mpich" })
                foreach (var line in lines) all.Add(launcher, line);
            return all;
        }
    }

    [SlowTheory, MemberData(nameof(Commands))]
    public void The_commands_of_the_documents_run_as_they_stand(string launcher, string command)
    {
        MpiRun.Need(launcher);
        using var folder = new TemporaryFolder();
        // what the pages call mpirun, in a folder whose samples are those of the checkout
        var bin = Directory.CreateDirectory(folder.At("bin")).FullName;
        File.WriteAllText(Path.Combine(bin, "mpirun"), $"#!/bin/sh\nexec {launcher} \"$@\"\n");
        MpiRun.Program(["chmod", "+x", Path.Combine(bin, "mpirun")], folder.Path);
        Directory.CreateSymbolicLink(folder.At("samples"), Repository.At("samples"));
        var (code, said) = MpiRun.Program(["sh", "-c", command.Replace("/bin/Debug/", $"/bin/{Repository.Configuration}/",
            StringComparison.Ordinal)], folder.Path, ("PATH", $"{bin}:{Environment.GetEnvironmentVariable("PATH")}"),
            ("OMPI_ALLOW_RUN_AS_ROOT", "1"), ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1"), ("OMPI_MCA_rmaps_base_oversubscribe", "1"),
            ("OMPI_MCA_mpi_yield_when_idle", "1"));
        code.Should().Be(0, said);
        Directory.GetFiles(folder.At("out"), "model.safetensors", SearchOption.AllDirectories).Should().ContainSingle(said);
    }

    [SlowTheory, InlineData("Images", "train --mpi --epochs 2 --limit 300", "train --epochs 2 --limit 300"),
        InlineData("Table", "--mpi --epochs 3", "--epochs 3")]
    public void The_samples_train_on_two_processes_to_the_model_of_one(string sample, string together, string alone)
    {
        MpiRun.Need("mpirun.openmpi");
        using var folder = new TemporaryFolder();
        SameWeights(Weights(folder, "two", [.. MpiRun.Launch("mpirun.openmpi", 2), "dotnet"], sample, together),
            Weights(folder, "one", ["dotnet"], sample, alone));
    }

    // what a sample has trained
    private static Dictionary<string, double[]> Weights(TemporaryFolder folder, string into, string[] command, string sample,
        string arguments)
    {
        var (code, said) = MpiRun.Program([.. command, MpiRun.Sample(sample), .. arguments.Split(' '), "--out", folder.At(into)],
            folder.Path);
        code.Should().Be(0, said);
        using var model = FlowModel.Load(Path.Combine(folder.At(into), "model.safetensors"));
        using var scope = NewDisposeScope();
        return model.state_dict().ToDictionary(t => t.Key, t => t.Value.to(float64).reshape(-1).data<double>().ToArray());
    }

    private static void SameWeights(Dictionary<string, double[]> some, Dictionary<string, double[]> others)
    {
        some.Should().HaveSameCount(others);
        foreach (var (name, values) in some)
            values.Should().Equal(others[name], (a, b) => Math.Abs(a - b) <= 1e-3 + (1e-2 * Math.Abs(b)), name);
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
        InlineData("MV2_COMM_WORLD_SIZE", "libmpich.so.12"), InlineData("SLURM_STEP_NUM_TASKS", "libmpi.so.40"),
        InlineData("NONE", "libmpi.so.40")]
    public void The_library_of_the_launchers_family_is_tried_first(string variable, string first)
    {
        var launcher = MpiLauncher.Of(name => name == variable ? "4" : null);
        launcher.Size.Should().Be(variable == "NONE" ? null : 4);
        MpiLibrary.Candidates(null, launcher)[0].Should().Be(first);
        MpiLibrary.Candidates("mine.so", launcher).Should().Equal("mine.so");
    }
}
