using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Benchmarks;

/// <summary>What <see cref="OdeSolver"/> adds to the calls of a module of the user's: time of a
/// solve − time of as many calls, of a long solve and a short one, so that
/// what each solve takes is parted from what each step takes.</summary>
internal static class OdeLoopStudy
{
    private const int Rounds = 60;
    private const double Short = 3, Long = 30;
    private static readonly TimeSpan warmUp = TimeSpan.FromSeconds(3);

    public static Command Command()
    {
        var rows = new Option<int>("--rows") { Description = "The examples of a solve.", DefaultValueFactory = _ => 100 };
        var threads = new Option<int>("--threads") { Description = "Threads of torch and of our kernels.",
            DefaultValueFactory = _ => Environment.ProcessorCount };
        var command = new Command("ode", "Times what the loop of the solver adds to a step whose dynamics are any module.") { rows,
            threads };
        command.SetAction(parsed =>
        {
            CpuTuning.Apply();
            TorchBackend.EnsureAvailable();
            set_num_threads(parsed.GetValue(threads));
            Run(Console.Out, parsed.GetValue(rows));
            return 0;
        });
        return command;
    }

    /// <summary>Writes a row for each method.</summary>
    public static void Run(TextWriter output, int rows)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        using var module = new Velocity();
        var y0 = randn(rows, 2);
        output.WriteLine(
            "| method | steps | calls of the module | solve, ms | the same calls alone, ms | loop, µs a step | begin and end, µs |");
        output.WriteLine("|---|---|---|---|---|---|---|");
        foreach (var options in new OdeOptions[]
        {
            new() { AbsoluteTolerance = 1e-6, RelativeTolerance = 1e-6 },
            new() { AbsoluteTolerance = 1e-6, RelativeTolerance = 1e-6, Method = OdeMethod.Tsit5 },
            new() { Method = OdeMethod.Rk4, Steps = 20 },
        })
        {
            // until the code of a solve is compiled for good
            for (var watch = Stopwatch.StartNew(); watch.Elapsed < warmUp;) Solve(module, y0, Short, options);
            var (few, many) = (Measure(module, y0, Short, options), Measure(module, y0, Long,
                options.IsAdaptive ? options : options with { Steps = 10 * options.Steps }));
            // what a solve takes whatever its steps are does not count as a step
            var step = (many.Loop - few.Loop) / (many.Steps - few.Steps);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"| {options.Method} | {many.Steps} | {many.Calls} | {many.Solve:F2} | {many.Solve - many.Loop:F2} | {step * 1000:F0} "
                + $"| {(few.Loop - (few.Steps * step)) * 1000:F0} |"));
        }
    }

    private static OdeStatistics Solve(Velocity module, Tensor y0, double end, OdeOptions options)
    {
        using var solution = OdeSolver.Solve(module, y0, 0, end, options);
        return solution.Statistics;
    }

    private static (long Steps, long Calls, double Solve, double Loop) Measure(Velocity module, Tensor y0, double end, OdeOptions options)
    {
        var statistics = Solve(module, y0, end, options);
        var calls = statistics.Evaluations;
        // in turn, so that both see the same machine
        var (solve, alone) = (double.PositiveInfinity, double.PositiveInfinity);
        using var t = zeros(y0.shape[0]);
        for (var round = 0; round < Rounds; round++)
        {
            solve = Math.Min(solve, Time(() => Solve(module, y0, end, options)));
            alone = Math.Min(alone, Time(() =>
            {
                for (var i = 0L; i < calls; i++) module.call(t, y0).Dispose();
            }));
        }
        return (statistics.Accepted.Zip(statistics.Rejected, (a, b) => a + b).Max(), calls, solve, solve - alone);
    }

    private static double Time(Action action)
    {
        var watch = Stopwatch.StartNew();
        action();
        return watch.Elapsed.TotalMilliseconds;
    }

    // as a user writes it, so that no kernel of ours knows it, and so cheap that the loop can be seen beside it
    private sealed class Velocity : nn.Module<Tensor, Tensor, Tensor>
    {
        private readonly Tensor turn = tensor(new[,] { { -0.1f, 2 }, { -2, -0.1f } });

        public Velocity() : base(nameof(Velocity)) => RegisterComponents();

        public override Tensor forward(Tensor t, Tensor x) => x.mm(turn);
    }
}
