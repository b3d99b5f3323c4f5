using System.Diagnostics;

namespace RealNvp.Tests.Infrastructure;

/// <summary>A test of this program in a process of its own, which may be ended, or end, without this one.</summary>
internal static class ChildProcess
{
    /// <summary>The folder that a child was started for; null in any other process.</summary>
    public static string? Folder => Environment.GetEnvironmentVariable(Variable);

    private const string Variable = "REALNVP_CHILD_FOLDER";

    /// <summary>Starts the test method of this class; it finds <paramref name="folder"/> in <see cref="Folder"/>.</summary>
    public static Process Start(Type type, string method, string folder)
    {
        var info = new ProcessStartInfo(Environment.ProcessPath!) { UseShellExecute = false, RedirectStandardOutput = true,
            RedirectStandardError = true, WorkingDirectory = folder };
        if (Path.GetFileNameWithoutExtension(info.FileName) == "dotnet") info.ArgumentList.Add(type.Assembly.Location);
        foreach (var argument in new[] { "-noColor", "-explicit", "only", "-method", $"{type.FullName}.{method}" })
            info.ArgumentList.Add(argument);
        info.Environment[Variable] = folder;
        var process = Process.Start(info)!;
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }
}
