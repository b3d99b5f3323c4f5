using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Mpi;

/// <summary>Starts a test method of this program several times at once by an MPI launcher of the machine.</summary>
internal static class MpiRun
{
    /// <summary>The launchers that may be there.</summary>
    public static TheoryData<string> Launchers => ["mpirun.openmpi", "mpirun.mpich"];

    private const string Variable = "REALNVP_MPI_FOLDER", Threads = "OMP_NUM_THREADS", Terminal = "TERM";

    /// <summary>The variables that all processes need, also those on another host.</summary>
    public static string[] Variables => [Variable, Threads, Terminal];

    /// <summary>The folder of the run that this process is a part of; null if it is none.</summary>
    public static string? Folder => Environment.GetEnvironmentVariable(Variable);

    /// <summary>Skips a test, and says so, where a launcher is missing.</summary>
    public static void Need(string launcher) => Assert.SkipUnless(Environment.GetEnvironmentVariable("PATH")!.Split(Path.PathSeparator)
        .Any(folder => File.Exists(Path.Combine(folder, launcher))), $"{launcher} is not on this machine");

    /// <summary>Starts a method of a class by a command that starts processes.</summary>
    public static Running Start(string[] launch, Type type, string method, string folder)
    {
        string[] program = Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet"
            ? [Environment.ProcessPath!, type.Assembly.Location] : [Environment.ProcessPath!];
        return Start([.. launch, .. program, "-noColor", "-explicit", "only", "-method", $"{type.FullName}.{method}"], folder);
    }

    /// <summary>A program of a sample, as the build left it.</summary>
    public static string Sample(string name) => Path.Combine(Repository.At("samples", name, "bin", Repository.Configuration, "net10.0",
        RuntimeInformation.RuntimeIdentifier), $"RealNvp.Samples.{name}.dll");

    /// <summary>The command that starts what comes behind it on some processes.</summary>
    // busy machines have fewer cores than processes, and build machines run as root
    public static string[] Launch(string launcher, int size) => launcher.EndsWith("openmpi", StringComparison.Ordinal)
        ? [launcher, "--allow-run-as-root", "--oversubscribe", "--mca", "mpi_yield_when_idle", "1", "-n", $"{size}"]
        : [launcher, "-n", $"{size}"];

    /// <summary>Runs a method on some processes to its end, and gives what they said.</summary>
    public static (int Code, string Said) Run(string[] launch, Type type, string method, string folder)
    {
        using var running = Start(launch, type, method, folder);
        return running.End(TimeSpan.FromSeconds(120));
    }

    /// <summary>Runs a program to its end, and gives what it said.</summary>
    public static (int Code, string Said) Program(string[] command, string folder, params (string Name, string Value)[] variables)
    {
        using var running = Start(command, folder, variables);
        return running.End(TimeSpan.FromMinutes(8));
    }

    private static Running Start(string[] command, string folder, params (string Name, string Value)[] variables)
    {
        var info = new ProcessStartInfo(command[0], command[1..]) { UseShellExecute = false, RedirectStandardOutput = true,
            RedirectStandardError = true, WorkingDirectory = folder };
        info.Environment[Variable] = folder;
        info.Environment[Threads] = "1";
        info.Environment[Terminal] = "dumb";
        foreach (var (name, value) in variables) info.Environment[name] = value;
        return new Running(Process.Start(info)!);
    }

    /// <summary>Processes that run.</summary>
    internal sealed class Running : IDisposable
    {
        private readonly Process process;
        private readonly StringBuilder said = new();

        public Running(Process process)
        {
            this.process = process;
            process.OutputDataReceived += (_, line) => Add(line.Data);
            process.ErrorDataReceived += (_, line) => Add(line.Data);
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
        }

        public bool HasEnded => process.HasExited;

        public (int Code, string Said) End(TimeSpan within)
        {
            var ended = process.WaitForExit((int)within.TotalMilliseconds);
            // what they said may still come in
            if (!ended) ended.Should().BeTrue("the processes must end; they said {0}", Said());
            process.WaitForExit();
            return (process.ExitCode, Said());
        }

        public void Dispose()
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
            process.Dispose();
        }

        private string Said()
        {
            lock (said) return said.ToString();
        }

        private void Add(string? line)
        {
            lock (said) said.AppendLine(line);
        }
    }
}
