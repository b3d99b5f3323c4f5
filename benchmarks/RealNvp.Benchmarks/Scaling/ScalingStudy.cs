using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using RealNvp.Mpi;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Benchmarks.Scaling;

/// <summary>The figures of docs/scaling.md: steps of one process, of two, what a network adds, and what does not divide.</summary>
internal static class ScalingStudy
{
    private static readonly int[] sizes = [2, 8, 64, 1024];
    private static readonly TimeSpan all = TimeSpan.FromSeconds(1.5);

    public static Command StepsCommand()
    {
        var some = Some();
        var others = new Option<bool>("--others") { Description = "Only what does not divide, and scoring." };
        var command = new Command("scaling", "Times steps of presets on one thread, and computes those of many processes.") { some,
            others };
        command.SetAction(parsed =>
        {
            set_num_threads(1);
            CpuTuning.Apply();
            if (parsed.GetValue(others)) Others(Console.Out, all);
            else Run(Console.Out, Named(parsed.GetValue(some)), all);
            return 0;
        });
        return command;
    }

    public static Command NetworkCommand()
    {
        var some = Some();
        var command = new Command("network", "On two processes of mpirun: times sums, and steps of two beside those of one, about 10 s " +
            "for each preset if each process has a core of its own. Without --case that is all presets; --case none times the sums alone.")
            { some };
        command.SetAction(parsed =>
        {
            set_num_threads(1);
            CpuTuning.Apply();
            MpiExchange.Run(exchange => Two(exchange.Rank == 0 ? Console.Out : TextWriter.Null, exchange, exchange.Version,
                Named(parsed.GetValue(some)), all));
            return 0;
        });
        return command;
    }

    private static Option<string?> Some() => new("--case") { Description = "Only the presets whose names contain this." };

    private static IReadOnlyList<ScalingCase> Named(string? part) =>
        [.. ScalingCase.All.Where(c => part is null || c.Name.Contains(part, StringComparison.OrdinalIgnoreCase))];

    /// <summary>Tables of efficiency: with the batch of the preset, and with one that grows.</summary>
    public static void Run(TextWriter output, IReadOnlyList<ScalingCase> cases, TimeSpan time)
    {
        var rows = cases.Select(c => (Case: c, Sums: c.Sums(), Whole: c.Step(c.Batch, time),
            Parts: sizes.Select(n => c.Step(Math.Max(c.Options.Shape.Count == 1 ? 1 : 2, c.Batch / n), time)).ToArray())).ToArray();
        foreach (var row in rows)
        {
            var parts = string.Join(" | ", row.Parts.Select(p => Number($"{p * 1e3:F1}")));
            var (weights, bytes) = (row.Case.Weights / 1e6, row.Sums.Sum() / 1e6);
            Line(output, $"| {row.Case.Name} | {weights:F2} M | {row.Sums.Count} | {bytes:F2} MB | {row.Whole * 1e3:F1} | {parts} |");
        }
        output.WriteLine();
        foreach (var row in rows)
        {
            var each = sizes.Select((n, i) => Both(network => row.Whole / (n * (row.Parts[i] + Exchanged(network, n, row.Sums)))));
            Line(output, $"| {row.Case.Name} | {string.Join(" | ", each)} |");
        }
        output.WriteLine();
        foreach (var row in rows)
        {
            var each = sizes.Select(n => Both(network => row.Whole / (row.Whole + Exchanged(network, n, row.Sums))));
            Line(output, $"| {row.Case.Name} | {string.Join(" | ", each)} |");
        }
    }

    /// <summary>The seconds that a step of some processes exchanges.</summary>
    public static double Exchanged(Network network, int size, IReadOnlyList<long> sums) => sums.Sum(bytes => network.Sum(size, bytes));

    /// <summary>What two processes measure: their network, and steps of both beside those of the first one alone.</summary>
    public static void Two(TextWriter output, IGradientExchange exchange, string version, IReadOnlyList<ScalingCase> cases, TimeSpan time)
    {
        if (exchange.Size != 2) throw new ArgumentException($"Expected two processes (mpirun -n 2); got {exchange.Size}.");
        const int Many = 1_000_000;
        var network = Network.Of(version, Least(exchange, 1, 400), Least(exchange, Many, 40), Many * sizeof(float));
        Line(output, $"| {version} | {network.Alpha * 1e6:F1} µs | {network.Beta * 1e9:F2} ns/byte |");
        output.WriteLine();
        foreach (var one in cases)
        {
            var (alone, half, both) = (double.MaxValue, double.MaxValue, double.MaxValue);
            // in turn, so that a slow minute of the machine meets all
            for (var turn = 0; turn < 3; turn++)
            {
                alone = Math.Min(alone, Alone(exchange, () => one.Step(one.Batch, time / 3)));
                half = Math.Min(half, Alone(exchange, () => one.Step(one.Batch / 2, time / 3)));
                both = Math.Min(both, one.Step(one.Batch, time / 3, exchange));
            }
            if (exchange.Rank > 0) continue;
            var model = half + Exchanged(network, 2, one.Sums());
            Line(output, $"| {one.Name} | {alone * 1e3:F1} | {both * 1e3:F1} | {alone / both:F2} | {alone / model:F2} |");
        }
    }

    // the first process works while the others sleep: who waits in a call of MPI takes a core
    private static double Alone(IGradientExchange exchange, Func<double> work)
    {
        using var number = tensor(new long[] { Environment.ProcessId, Stopwatch.GetTimestamp() });
        exchange.Broadcast(number, 0);
        var done = Path.Combine(Path.GetTempPath(), $"realnvp-exchange-{number[0].item<long>()}-{number[1].item<long>()}");
        var result = double.MaxValue;
        if (exchange.Rank == 0)
        {
            result = work();
            File.WriteAllText(done, "");
        }
        else
            while (!File.Exists(done)) Thread.Sleep(5);
        exchange.Barrier();
        if (exchange.Rank == 0) File.Delete(done);
        return result;
    }

    private static double Least(IGradientExchange exchange, int numbers, int times)
    {
        using var values = zeros(numbers);
        var least = double.MaxValue;
        for (var i = 0; i < times; i++)
        {
            exchange.Barrier();
            var start = Stopwatch.GetTimestamp();
            exchange.Sum(values);
            least = Math.Min(least, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        return least;
    }

    /// <summary>What each process does for all rows, the scale of the gradient's noise, and the rate of scoring.</summary>
    /// <param name="output">Where to write.</param>
    /// <param name="time">How long to time each.</param>
    /// <param name="rows">The rows of the table that the gradient's noise is looked at on.</param>
    /// <param name="repeats">How many large batches of it; ten times as many small ones.</param>
    public static void Others(TextWriter output, TimeSpan time, int rows = 40_000, int repeats = 20)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        foreach (var digits in new[] { 64, 65_536 })
        {
            var seconds = Best(() => Noise.Uniform([digits, 1, 8, 8], ScalarType.Float32, CPU, generator).Dispose(), time);
            Line(output, $"noise of {digits:N0} digits: {seconds * 1e3:F3} ms");
        }
        var order = Best(() =>
        {
            using var inner = NewDisposeScope();
            var shuffled = randperm(1_000_000, generator: generator);
            var where = empty_like(shuffled).scatter_(0, shuffled, arange(1_000_000)).narrow(0, 0, 500_000);
            where.sort();
        }, time);
        Line(output, $"order of a million rows, for one of two processes: {order * 1e3:F0} ms");

        using var flow = RealNvpOptions.Tabular(10).NewModel(1);
        flow.eval();
        float[] batch = randn([2048, 10], generator: generator).data<float>().ToArray(), scores = new float[2048];
        var call = Best(() => flow.LogProbInto(batch, scores), time);
        var rate = scores.Length / call;
        var hours = 1e9 / rate / 3600;
        Line(output, $"scoring: {rate:N0} rows a second, a billion in {hours:F1} hours, on 64 cores in {hours * 60 / 64:F1} minutes");
        NoiseScale(output, rows, repeats);
    }

    private static void NoiseScale(TextWriter output, int count, int repeats)
    {
        const int Small = 64, Large = 4096;
        using var scope = NewDisposeScope();
        using var generator = new Generator(3);
        var first = randn([count, 1], generator: generator);
        var columns = new List<Tensor> { first };
        for (var c = 1; c < 10; c++) columns.Add((columns[^1] * 1.5).sin() + (0.3 * randn([count, 1], generator: generator)));
        var x = cat([.. columns], 1);
        using var flow = RealNvpOptions.Tabular(10, count).NewModel(1);
        foreach (var epochs in new[] { 0, 1, 4 })
        {
            if (epochs > 0)
            {
                using var trainer = new Trainer(flow, new TrainingOptions { Epochs = epochs, ValidationFraction = 0, Seed = 1 });
                trainer.Fit(TrainingData.From(x));
            }
            else Trainer.FitLayers(flow, TrainingData.From(x));
            flow.train();
            var (small, large) = (SquaredGradient(flow, x, Small, 10 * repeats, generator),
                SquaredGradient(flow, x, Large, repeats, generator));
            Line(output, $"scale of the gradient's noise after {epochs} more epoch(s): {NoiseScale(small, Small, large, Large):F0} rows");
        }
    }

    /// <summary>B = tr(Σ)/|G|², from the mean |g|² of batches of two sizes (McCandlish and others, 2018, appendix A).</summary>
    public static double NoiseScale(double small, int rowsOfSmall, double large, int rowsOfLarge)
    {
        var signal = ((rowsOfLarge * large) - (rowsOfSmall * small)) / (rowsOfLarge - rowsOfSmall);
        var noise = (small - large) / ((1.0 / rowsOfSmall) - (1.0 / rowsOfLarge));
        return noise / signal;
    }

    private static double SquaredGradient(Flow flow, Tensor x, int batch, int times, Generator generator)
    {
        var sum = 0.0;
        for (var i = 0; i < times; i++)
        {
            using var scope = NewDisposeScope();
            flow.zero_grad();
            var rows = x.index_select(0, randint(x.shape[0], [batch], dtype: ScalarType.Int64, generator: generator));
            flow.NegativeLogLikelihood(rows).backward();
            foreach (var parameter in flow.parameters())
                if (parameter.grad is { } gradient) sum += gradient.pow(2).sum().ToDouble() / times;
        }
        flow.zero_grad();
        return sum;
    }

    private static double Best(Action action, TimeSpan time)
    {
        action();
        var least = double.MaxValue;
        for (var watch = Stopwatch.StartNew(); watch.Elapsed < time;)
        {
            var start = Stopwatch.GetTimestamp();
            action();
            least = Math.Min(least, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        return least;
    }

    private static string Both(Func<Network, double> efficiency) =>
        Number($"{efficiency(Network.InfiniBand) * 100:F0} % ({efficiency(Network.Ethernet25) * 100:F0} %)");

    private static string Number(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static void Line(TextWriter output, FormattableString text) => output.WriteLine(Number(text));
}
