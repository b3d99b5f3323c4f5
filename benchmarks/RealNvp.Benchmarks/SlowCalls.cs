using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Runtime;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using TorchSharp;

namespace RealNvp.Benchmarks;

/// <summary>
/// What the slow ones of many calls have in common. Three things take turns, call by call, on one thread: the call itself, as long a
/// stretch of multiply-adds in registers, and one reading of all weights. A stretch needs neither memory nor the runtime, so what
/// makes stretches slow is the machine; of the calls it counts besides what the runtime and the system did to the thread meanwhile.
/// </summary>
internal static partial class SlowCalls
{
    private static readonly string[] phases = ["logprob", "encode", "decode", "sample", "span", "scorer"];

    /// <summary>The command.</summary>
    public static Command Command()
    {
        var name = new Option<string>("--case") { Description = "The case of this name, or all of one row whose names contain it.",
            DefaultValueFactory = _ => "row_" };
        var phase = new Option<string?>("--phase") { Description = $"Only this phase: {string.Join(", ", phases)}." };
        var calls = new Option<int>("--calls") { Description = "Timed calls.", DefaultValueFactory = _ => 10_000 };
        var trace = new Option<string?>("--trace") {
            Description = "Writes each to this file: case, phase, 'call', 'stretch' or 'reading', when it began and how long it took, in "
                + "nanoseconds of the monotonic clock, as traces of the system have it." };
        var command = new Command("slow", "Counts the slow ones of many calls of one row, beside stretches of arithmetic as long.") {
            name, phase, calls, trace };
        phase.AcceptOnlyFromAmong(phases);
        Program.Between(calls, 100, 1_000_000);
        command.SetAction(parsed =>
        {
            try
            {
                var ofOne = Cases.All.Where(c => c.Batch == 1 && c.Phases.Contains("read")).ToArray();
                var chosen = Array.FindAll(ofOne, c => c.Name.Contains(parsed.GetValue(name) ?? "", StringComparison.Ordinal));
                if (chosen.Length == 0)
                    throw new BenchmarkException($"No case of one row has '{parsed.GetValue(name)}' in its name; there are "
                        + $"{string.Join(", ", ofOne.Select(c => c.Name))}.");
                using var file = Writer(parsed.GetValue(trace));
                CpuTuning.Apply();
                TorchBackend.EnsureAvailable();
                torch.set_num_threads(1);
                Console.WriteLine($"{Report.Machine()}; {Report.Runtime()}\n");
                Run(Console.Out, chosen, parsed.GetValue(phase), parsed.GetValue(calls), TimeSpan.FromSeconds(3), file);
                return 0;
            }
            catch (Exception error) when (error is BenchmarkException or IOException)
            {
                Console.Error.WriteLine(error is BenchmarkException ? error.Message
                    : $"'{parsed.GetValue(trace)}' cannot be written: {error.Message}");
                return 1;
            }
        });
        return command;
    }

    private static StreamWriter? Writer(string? path)
    {
        try { return path is null ? null : new StreamWriter(path); }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new BenchmarkException($"'{path}' cannot be written: {error.Message}");
        }
    }

    /// <summary>Writes a row of a Markdown table for each phase of each case.</summary>
    public static void Run(TextWriter output, IReadOnlyList<BenchmarkCase> chosen, string? phase, int calls, TimeSpan warmUp,
        TextWriter? trace)
    {
        output.WriteLine("| case | phase | median, µs [readings] | 99 % / median of calls | of stretches | of readings "
            + "| calls over 2 medians | with a collection | with a compilation | with a switch of threads | with a page fault "
            + "| with none of them |");
        output.WriteLine("|---|---|---|---|---|---|---|---|---|---|---|---|");
        foreach (var row in chosen)
        {
            using var workload = row.Load(torch.CPU);
            foreach (var only in phases.Where(p => phase is null || phase == p))
                output.WriteLine(Of(workload, row.Name, only, calls, warmUp, trace));
        }
    }

    private static string Of(IWorkload workload, string row, string phase, int count, TimeSpan warmUp, TextWriter? trace)
    {
        Call[] calls = new Call[count], stretches = new Call[count], readings = new Call[count];
        Warm(workload, phase, warmUp);
        var first = Math.Min(count, 1000);
        Time(workload, phase, 1000, calls.AsSpan(0, first), stretches, readings);
        var steps = Steps(Part(calls.AsSpan(0, first), 0.5));
        GC.Collect();
        GC.WaitForPendingFinalizers();
        Time(workload, phase, steps, calls, stretches, readings);
        foreach (var (kind, all) in new[] { ("call", calls), ("stretch", stretches), ("reading", readings) })
            foreach (var call in all)
                trace?.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{row},{phase},{kind},{call.Start},{call.Time}"));
        var median = Part(calls, 0.5);
        var slow = Array.FindAll(calls, c => c.Time > 2 * median);
        return string.Create(CultureInfo.InvariantCulture, $"| {row} | {phase} | {median / 1000:F1} [{median / Part(readings, 0.5):F1}] "
            + $"| {Tail(calls):F2} | {Tail(stretches):F2} | {Tail(readings):F2} | {slow.Length} "
            + $"| {slow.Count(c => c.Collections > 0)} | {slow.Count(c => c.Compiled > 0)} | {slow.Count(c => c.Switches > 0)} "
            + $"| {slow.Count(c => c.Faults > 0)} | {slow.Count(c => c.Collections + c.Compiled + c.Switches + c.Faults == 0)} |");
    }

    // until the JIT is done
    private static void Warm(IWorkload workload, string phase, TimeSpan warmUp)
    {
        var compiled = 0L;
        for (Stopwatch all = Stopwatch.StartNew(), since = Stopwatch.StartNew(); Conductor.IsCold(all.Elapsed, since.Elapsed, warmUp);)
        {
            workload.Run(phase);
            workload.Run("read");
            if (JitInfo.GetCompiledMethodCount() is var now && now == compiled) continue;
            compiled = now;
            since.Restart();
        }
    }

    private static void Time(IWorkload workload, string phase, int steps, Span<Call> calls, Call[] stretches, Call[] readings)
    {
        for (var i = 0; i < calls.Length; i++)
        {
            var before = State.Now();
            var start = Stopwatch.GetTimestamp();
            workload.Run(phase);
            var end = Stopwatch.GetTimestamp();
            var after = State.Now();
            calls[i] = new(Nanoseconds(start), Nanoseconds(end - start), after.Collections - before.Collections,
                after.Compiled - before.Compiled, after.Switches - before.Switches, after.Faults - before.Faults);
            start = Stopwatch.GetTimestamp();
            Multiply(steps);
            stretches[i] = new(Nanoseconds(start), Nanoseconds(Stopwatch.GetTimestamp() - start), 0, 0, 0, 0);
            start = Stopwatch.GetTimestamp();
            workload.Run("read");
            readings[i] = new(Nanoseconds(start), Nanoseconds(Stopwatch.GetTimestamp() - start), 0, 0, 0, 0);
        }
    }

    private static long Nanoseconds(long ticks) => (long)(ticks * (1e9 / Stopwatch.Frequency));

    // steps of a stretch that takes so many nanoseconds
    private static int Steps(double nanoseconds)
    {
        const int Many = 20_000;
        var least = Enumerable.Range(0, 20).Min(_ =>
        {
            var start = Stopwatch.GetTimestamp();
            Multiply(Many);
            return Nanoseconds(Stopwatch.GetTimestamp() - start);
        });
        return Math.Max(1, (int)(Many * nanoseconds / least));
    }

    // nanoseconds that this part of the calls took at the most
    private static double Part(ReadOnlySpan<Call> calls, double part)
    {
        var times = new long[calls.Length];
        for (var i = 0; i < times.Length; i++) times[i] = calls[i].Time;
        Array.Sort(times);
        return times[(int)Math.Ceiling(part * times.Length) - 1];
    }

    private static double Tail(Call[] calls) => Part(calls, 0.99) / Part(calls, 0.5);

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static float Multiply(int steps)
    {
        var (a, b) = (Vector256.Create(0.999f), Vector256.Create(0.001f));
        var sum = b;
        for (var i = 0; i < steps; i++) sum = Vector256.MultiplyAddEstimate(sum, a, b);
        return Vector256.Sum(sum);
    }

    /// <summary>A call: when it began and how long it took, in nanoseconds, and how often something happened meanwhile.</summary>
    private readonly record struct Call(long Start, long Time, long Collections, long Compiled, long Switches, long Faults);

    /// <summary>What the runtime and the system have done so far.</summary>
    private readonly record struct State(long Collections, long Compiled, long Switches, long Faults)
    {
        public static State Now()
        {
            var usage = default(Usage);
            // of this thread; elsewhere than on Linux nobody says
            if (OperatingSystem.IsLinux()) _ = GetUsage(1, ref usage);
            return new(GC.CollectionCount(0), JitInfo.GetCompiledMethodCount(), usage[16] + usage[17], usage[8] + usage[9]);
        }
    }

    [InlineArray(18)]
    private struct Usage
    {
        private long first;
    }

    [LibraryImport("libc", EntryPoint = "getrusage")]
    private static partial int GetUsage(int who, ref Usage usage);
}
