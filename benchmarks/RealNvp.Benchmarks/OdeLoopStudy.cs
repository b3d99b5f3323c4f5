using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Benchmarks;

/// <summary>What <see cref="OdeSolver"/> adds to the calls of a module of
/// the user's: (time of a solve − time of as many calls) / steps.</summary>
internal static class OdeLoopStudy
{
    private const int Rounds = 60;
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
        // until the code of a solve is compiled for good
        for (var watch = Stopwatch.StartNew(); watch.Elapsed < warmUp;)
            OdeSolver.Solve(module, y0, 0, 3, new() { AbsoluteTolerance = 1e-6, RelativeTolerance = 1e-6 }).Dispose();
        output.WriteLine("| method | steps | calls of the module | solve, ms | the same calls alone, ms | loop, µs a step |");
        output.WriteLine("|---|---|---|---|---|---|");
        foreach (var options in new OdeOptions[]
        {
            new() { AbsoluteTolerance = 1e-6, RelativeTolerance = 1e-6 },
            new() { AbsoluteTolerance = 1e-6, RelativeTolerance = 1e-6, Method = OdeMethod.Tsit5 },
            new() { Method = OdeMethod.Rk4, Steps = 40 },
        })
        {
            var (steps, calls) = (0L, 0L);
            // in turn, so that both see the same machine
            var (solve, alone) = (double.PositiveInfinity, double.PositiveInfinity);
            for (var round = 0; round < Rounds; round++)
            {
                solve = Math.Min(solve, Time(() =>
                {
                    using var solution = OdeSolver.Solve(module, y0, 0, 3, options);
                    var statistics = solution.Statistics;
                    steps = statistics.Accepted.Zip(statistics.Rejected, (a, b) => a + b).Max();
                    calls = statistics.Evaluations;
                }));
                alone = Math.Min(alone, Time(() =>
                {
                    using var t = zeros(rows);
                    for (var i = 0L; i < calls; i++) module.call(t, y0).Dispose();
                }));
            }
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"| {options.Method} | {steps} | {calls} | {solve:F2} | {alone:F2} | {(solve - alone) * 1000 / steps:F0} |"));
        }
    }

    private static double Time(Action action)
    {
        var watch = Stopwatch.StartNew();
        action();
        return watch.Elapsed.TotalMilliseconds;
    }

    // as a user writes it: no kernel of ours knows it
    private sealed class Velocity : nn.Module<Tensor, Tensor, Tensor>
    {
        private readonly TorchSharp.Modules.Linear first = nn.Linear(3, 64), second = nn.Linear(64, 64), last = nn.Linear(64, 2);

        public Velocity() : base(nameof(Velocity)) => RegisterComponents();

        public override Tensor forward(Tensor t, Tensor x)
        {
            using var scope = NewDisposeScope();
            var input = cat([x, t.unsqueeze(1)], 1);
            return last.call(second.call(first.call(input).tanh()).tanh()).MoveToOuterDisposeScope();
        }
    }
}
