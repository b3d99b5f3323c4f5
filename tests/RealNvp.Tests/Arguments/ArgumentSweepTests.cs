using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using RealNvp.Checking;
using RealNvp.Tests.Infrastructure;
using TorchSharp;

namespace RealNvp.Tests.Arguments;

/// <summary>
/// Every public member gets wrong arguments, of every kind, and answers with an exception that
/// a caller can act on. The calls run in a child process, as a call with a fault may end it.
/// </summary>
public class ArgumentSweepTests
{
    private const string StartVariable = "REALNVP_SWEEP_START", FolderVariable = "REALNVP_SWEEP_FOLDER";
    private const double Allowed = 0.002;
    private static readonly TimeSpan longest = TimeSpan.FromSeconds(60);

    [SlowFact]
    public void Wrong_arguments_get_errors_that_say_what_is_wrong()
    {
        using var folder = new TemporaryFolder();
        var report = Environment.GetEnvironmentVariable("REALNVP_SWEEP_REPORT");
        List<string> faults = [];
        var (next, count) = (0, int.MaxValue);
        while (next < count)
        {
            using var process = Start(next, folder.Path);
            var last = next - 1;
            var watch = Stopwatch.StartNew();
            while (!process.WaitForExit(200))
            {
                var now = Lines(folder.At("progress"));
                if (now.Length > 0 && int.TryParse(now[^1].Split('\t')[0], CultureInfo.InvariantCulture, out var at) && at != last)
                    (last, _) = (at, Restart(watch));
                else if (watch.Elapsed > longest) process.Kill(entireProcessTree: true);
            }
            var progress = Lines(folder.At("progress"));
            count = int.Parse(progress[0], CultureInfo.InvariantCulture);
            var done = progress.Skip(1).Select(l => l.Split('\t')).ToArray();
            if (report is not null) File.AppendAllLines(report + ".all", progress);
            faults.AddRange(done.Where(d => d is [_, _, { Length: > 0 }]).Select(d => $"{d[1]} -> {d[2]}"));
            if (done.Length > 0 && done[^1] is ["end"]) break;
            if (done.Length == 0) throw new InvalidOperationException($"The child process ended before its first call, {next}.");
            if (done[^1].Length == 2) faults.Add($"{done[^1][1]} -> PROCESS ENDED ({process.ExitCode})");
            next = int.Parse(done[^1][0], CultureInfo.InvariantCulture) + 1;
        }
        if (report is not null) File.WriteAllLines(report, faults.Prepend($"{faults.Count} of {count}"));
        count.Should().BeGreaterThan(9000, "the sweep reaches every member");
        faults.Count.Should().BeLessThanOrEqualTo((int)(Allowed * count), "these of {0} calls end in another way:\n{1}", count,
            string.Join('\n', faults.Take(100)));
    }

    /// <summary>The child: it runs the calls from a number on, and writes each before it begins.</summary>
    [SlowFact]
    public void Child_of_the_sweep()
    {
        if (Environment.GetEnvironmentVariable(StartVariable) is not { } start) return;
        var folder = Environment.GetEnvironmentVariable(FolderVariable)!;
        var calls = SweepCalls.All(folder);
        using var progress = new StreamWriter(Path.Combine(folder, "progress"));
        progress.AutoFlush = true;
        progress.WriteLine(calls.Count);
        for (var i = int.Parse(start, CultureInfo.InvariantCulture); i < calls.Count; i++)
        {
            progress.Write($"{i}\t{calls[i].Name.ReplaceLineEndings(" ").Replace('\t', ' ')}");
            var fault = Fault(calls[i]);
            progress.WriteLine(fault is null ? "\t" : $"\t{fault}");
            if (i % 50 == 0) GC.Collect();
        }
        progress.WriteLine("end");
    }

    private static string? Fault(SweepCall call)
    {
        try
        {
            using var scope = torch.NewDisposeScope();
            call.Run();
            return null;
        }
        catch (Exception e)
        {
            while (e is TargetInvocationException or AggregateException && e.InnerException is { } inner) e = inner;
            var at = e.StackTrace?.Split('\n').FirstOrDefault(l =>
                l.Contains("RealNvp.", StringComparison.Ordinal) && !l.Contains("Tests", StringComparison.Ordinal));
            return IsClear(e) ? null : $"{e.GetType().Name}: {e.Message.Split('\n')[0].Replace('\t', ' ').Trim()} {at?.Trim()}";
        }
    }

    /// <summary>What a caller can act on. Another exception is a fault: raw
    /// libtorch text, a null reference, an index, a cast, a key.</summary>
    private static bool IsClear(Exception e) => e switch
    {
        // a tensor that the library itself disposed too early would say so too, but the names of arguments are in its messages
        ObjectDisposedException or ArgumentException or NonFiniteException or FlowCheckException => true,
        // an equation without a solution, as from 1e30: it says which example, at which time and why, and what to do. That NaN and
        // infinity do not come so far, LayerArgumentTests tell
        OdeException => true,
        KeyNotFoundException => false,
        InvalidOperationException or NotSupportedException or InvalidDataException or IOException or UnauthorizedAccessException
            or OperationCanceledException => true,
        OutOfMemoryException => true,
        _ => false,
    };

    private static Process Start(int start, string folder)
    {
        File.Delete(Path.Combine(folder, "progress"));
        var info = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = false, UseShellExecute = false };
        if (Path.GetFileNameWithoutExtension(info.FileName) == "dotnet")
            info.ArgumentList.Add(typeof(ArgumentSweepTests).Assembly.Location);
        foreach (var argument in new[] { "-noColor", "-explicit", "only", "-method",
                $"{typeof(ArgumentSweepTests).FullName}.{nameof(Child_of_the_sweep)}" })
            info.ArgumentList.Add(argument);
        info.Environment[StartVariable] = start.ToString(CultureInfo.InvariantCulture);
        info.Environment[FolderVariable] = folder;
        info.WorkingDirectory = folder;
        return Process.Start(info)!;
    }

    private static bool Restart(Stopwatch watch)
    {
        watch.Restart();
        return true;
    }

    private static string[] Lines(string path)
    {
        if (!File.Exists(path)) return [];
        using var reader = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
        return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
