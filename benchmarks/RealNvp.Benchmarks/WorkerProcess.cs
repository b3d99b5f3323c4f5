using System.Diagnostics;
using System.Globalization;

namespace RealNvp.Benchmarks;

/// <summary>A worker, ours or the Python script's, in a process of its own.</summary>
internal sealed class WorkerProcess : IDisposable
{
    private readonly Process process;

    private WorkerProcess(Process process, Ready ready, IReadOnlyList<string> command) =>
        (this.process, Ready, Command) = (process, ready, command);

    /// <summary>What started it.</summary>
    public IReadOnlyList<string> Command { get; }

    /// <summary>What it said when its case was built.</summary>
    public Ready Ready { get; }

    /// <summary>Starts a worker and waits until its case is built; null where it cannot run this case.</summary>
    public static WorkerProcess? Start(IReadOnlyList<string> command)
    {
        var info = new ProcessStartInfo(command[0], command.Skip(1)) { RedirectStandardInput = true, RedirectStandardOutput = true };
        var process = Process.Start(info) ?? throw new InvalidOperationException($"{command[0]} did not start.");
        while (process.StandardOutput.ReadLine() is { } line)
            if (line.StartsWith('{'))
            {
                var ready = Protocol.Read<Ready>(line);
                if (ready.Error is null) return new WorkerProcess(process, ready, command);
                Console.Error.WriteLine($"{string.Join(' ', command)}: {ready.Error}");
                break;
            }
        process.WaitForExit();
        process.Dispose();
        return null;
    }

    /// <summary>Lets it run a phase a number of times; null where it does not know the phase.</summary>
    public Timed? Time(string phase, int rounds) => Ask(phase, string.Create(CultureInfo.InvariantCulture, $"time {phase} {rounds}"));

    /// <summary>What a phase asks libtorch for; null if it does not count, or does not know the phase.</summary>
    public Timed? Count(string phase) => Ready.Counts ? Ask(phase, "count " + phase) : null;

    private Timed? Ask(string phase, string command)
    {
        if (!Ready.Phases.Contains(phase)) return null;
        process.StandardInput.WriteLine(command);
        process.StandardInput.Flush();
        var timed = Protocol.Read<Timed>(process.StandardOutput.ReadLine()
            ?? throw new InvalidOperationException($"{Ready.Peer} ended while it ran {Ready.Case}, {phase}."));
        if (timed.Error is null) return timed;
        Console.Error.WriteLine($"{Ready.Peer} failed at {Ready.Case}, {phase}: {timed.Error}");
        return null;
    }

    /// <summary>Starts a program that scores once and says so.</summary>
    /// <returns>The milliseconds from the start of the process to its line, and that line; null if it cannot do this.</returns>
    public static (double Milliseconds, Timed Line)? Cold(IReadOnlyList<string> command)
    {
        var info = new ProcessStartInfo(command[0], command.Skip(1)) { RedirectStandardInput = true, RedirectStandardOutput = true };
        var clock = Stopwatch.StartNew();
        using var process = Process.Start(info) ?? throw new InvalidOperationException($"{command[0]} did not start.");
        (double, Timed)? answer = null;
        while (answer is null && process.StandardOutput.ReadLine() is { } line)
            if (line.StartsWith('{') && Protocol.Read<Timed>(line) is { Phase: "cold" } timed)
                answer = (clock.Elapsed.TotalMilliseconds, timed);
        process.StandardInput.Close();
        process.WaitForExit();
        return answer;
    }

    public void Dispose()
    {
        process.StandardInput.Close();   // the end of its input ends it
        process.WaitForExit();
        process.Dispose();
    }
}
