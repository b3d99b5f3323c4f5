using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace RealNvp.Benchmarks;

/// <summary>A worker, ours or the Python script's, in a process of its own.</summary>
/// <remarks>One that ends, says what is no answer, or says nothing for too long is given up: it is ended, the error stream says why, and it
/// answers null from then on.</remarks>
internal sealed class WorkerProcess : IDisposable
{
    // so long has a worker whose input has ended
    private static readonly TimeSpan end = TimeSpan.FromSeconds(10);

    private readonly Talk talk;

    private WorkerProcess(Talk talk, IReadOnlyList<string> command, Ready ready) => (this.talk, Command, Ready) = (talk, command, ready);

    /// <summary>What it said when its case was built.</summary>
    public Ready Ready { get; }

    /// <summary>How it was started, without what makes it a worker.</summary>
    public IReadOnlyList<string> Command { get; }

    /// <summary>Whether it was given up.</summary>
    public bool IsOut { get; private set; }

    /// <summary>Starts a worker and waits until its case is built; null if it cannot run this case, and says so.</summary>
    /// <param name="command">The program and its arguments.</param>
    /// <param name="patience">How long to wait for an answer.</param>
    /// <exception cref="BenchmarkException">There is no such program, or it is no worker.</exception>
    public static WorkerProcess? Start(IReadOnlyList<string> command, TimeSpan patience)
    {
        var talk = new Talk([.. command, "--serve"], patience);
        try
        {
            var ready = talk.Hear<Ready>(r => r.Error is not null || r is { Peer: not null, Case: not null, Phases: not null });
            if (ready.Error is null) return new WorkerProcess(talk, command, ready);
            Console.Error.WriteLine($"{string.Join(' ', command)}: {ready.Error}");
        }
        catch
        {
            talk.GiveUp();
            throw;
        }
        talk.Dispose();
        return null;
    }

    /// <summary>Lets it run a phase a number of times; null where it does not know the phase.</summary>
    public Timed? Time(string phase, int rounds) =>
        Ask(phase, string.Create(CultureInfo.InvariantCulture, $"time {phase} {rounds}"),
            t => t.Times is { Count: > 0 } times && times.All(ms => ms >= 0 && double.IsFinite(ms)));

    /// <summary>What a phase asks libtorch for; null if it does not count, or does not know the phase.</summary>
    public Timed? Count(string phase) => Ready.Counts ? Ask(phase, "count " + phase, t => t.Times is not null) : null;

    private Timed? Ask(string phase, string command, Func<Timed, bool> isAnswer)
    {
        if (IsOut || !Ready.Phases.Contains(phase)) return null;
        try
        {
            talk.Say(command);
            var timed = talk.Hear<Timed>(t => t.Error is not null || (t.Phase == phase && isAnswer(t)));
            if (timed.Error is null) return timed;
            Console.Error.WriteLine($"{Ready.Peer} failed at {Ready.Case}, {phase}: {timed.Error}");
        }
        catch (BenchmarkException error)
        {
            IsOut = true;
            talk.GiveUp();
            Console.Error.WriteLine($"{Ready.Peer} is left out of {Ready.Case} from {phase} on: {error.Message}");
        }
        return null;
    }

    /// <summary>Starts a program that scores once and says so.</summary>
    /// <returns>The milliseconds from the start of the process to its line, and that line; null if it cannot do this.</returns>
    public static (double Milliseconds, Timed Line)? Cold(IReadOnlyList<string> command, TimeSpan patience)
    {
        var clock = Stopwatch.StartNew();
        using var talk = new Talk([.. command, "--cold"], patience);
        try
        {
            if (talk.Hear<Timed>(t => t.Error is not null || t.Phase == "cold") is { Error: null } timed)
                return (clock.Elapsed.TotalMilliseconds, timed);
        }
        catch (BenchmarkException error)
        {
            talk.GiveUp();
            Console.Error.WriteLine($"No cold start: {error.Message}");
        }
        return null;
    }

    public void Dispose() => talk.Dispose();

    // a process, its input and its output
    private sealed class Talk : IDisposable
    {
        private readonly Process process;
        private readonly string name;
        private readonly TimeSpan patience;
        private bool isEnded;

        public Talk(IReadOnlyList<string> command, TimeSpan patience)
        {
            (name, this.patience) = (string.Join(' ', command), patience);
            var info = new ProcessStartInfo(command[0], command.Skip(1)) { RedirectStandardInput = true, RedirectStandardOutput = true };
            try { process = Process.Start(info)!; }
            catch (Win32Exception error) { throw new BenchmarkException($"'{name}' did not start: {error.Message}."); }
        }

        public void Say(string line)
        {
            try
            {
                process.StandardInput.WriteLine(line);
                process.StandardInput.Flush();
            }
            catch (IOException) { throw Ended(); }
        }

        /// <summary>The next line of JSON that it says. Other lines are what its libraries have to say, and mean nothing.</summary>
        public T Hear<T>(Func<T, bool> isAnswer)
        {
            for (var clock = Stopwatch.StartNew(); ;)
            {
                var reading = process.StandardOutput.ReadLineAsync();
                var left = patience - clock.Elapsed;
                if (left <= TimeSpan.Zero || !reading.Wait(left))
                    throw new BenchmarkException($"'{name}' said nothing for {patience.TotalSeconds:F0} s (--patience).");
                if (reading.Result is not { } line) throw Ended();
                if (!line.StartsWith('{')) continue;
                try
                {
                    if (Protocol.Read<T>(line) is var answer && isAnswer(answer)) return answer;
                }
                catch (JsonException) { }
                throw new BenchmarkException($"'{name}' said what is no answer: {(line.Length > 200 ? line[..200] + "..." : line)}");
            }
        }

        private BenchmarkException Ended()
        {
            var code = process.WaitForExit(end) ? $" with code {process.ExitCode}" : "";
            return new($"'{name}' ended{code} before it answered.");
        }

        /// <summary>Ends it at once.</summary>
        public void GiveUp()
        {
            if (!isEnded && !process.HasExited) process.Kill(entireProcessTree: true);
            Dispose();
        }

        public void Dispose()
        {
            if (isEnded) return;
            isEnded = true;
            // the end of its input ends it
            try { process.StandardInput.Close(); }
            catch (IOException) { }
            if (!process.WaitForExit(end)) process.Kill(entireProcessTree: true);
            process.WaitForExit();
            process.Dispose();
        }
    }
}
