using System.Collections;
using System.Diagnostics;

namespace RealNvp.Tests.Infrastructure;

/// <summary>A folder outside the checkout, in which a test writes a project and runs <c>dotnet</c> on it; disposing deletes it.</summary>
internal sealed class GeneratedProject : IDisposable
{
    public string Folder { get; } = Directory.CreateTempSubdirectory("realnvp-test-").FullName;

    /// <summary>Variables that the programs get beside those of this process.</summary>
    public Dictionary<string, string> Variables { get; } = [];

    public string At(params ReadOnlySpan<string> parts) => Path.Combine([Folder, .. parts]);

    public void Write(string name, string text) => File.WriteAllText(At(name), text);

    /// <summary>Runs <c>dotnet</c> in the folder and returns what it printed; fails the test where it doesn't exit with 0.</summary>
    public string DotNet(params string[] arguments)
    {
        var (exitCode, output) = TryDotNet(arguments);
        if (exitCode != 0) Assert.Fail($"dotnet {string.Join(' ', arguments)} ended with {exitCode}:\n{output}");
        return output;
    }

    public (int ExitCode, string Output) TryDotNet(params string[] arguments) =>
        Run(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", arguments);

    /// <summary>Runs a program in the folder; output and errors come together.</summary>
    public (int ExitCode, string Output) Run(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = Folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        // `dotnet test` tells its children where its own MSBuild lies, and a solution's properties come as variables.
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
            if (variable.Key is string name && name.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase))
                start.Environment.Remove(name);
        // Nothing that this starts may outlive it and keep its folder open.
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        start.Environment["DOTNET_CLI_USE_MSBUILD_SERVER"] = "0";
        start.Environment["UseSharedCompilation"] = "false";
        start.Environment["DOTNET_NOLOGO"] = "1";
        start.Environment["TorchBackend"] = "";
        foreach (var (name, value) in Variables) start.Environment[name] = value;

        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + errors.GetAwaiter().GetResult());
    }

    public void Dispose()
    {
        // Links into the package cache are removed as links: this does not follow them.
        try { Directory.Delete(Folder, recursive: true); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException) { /* Windows: a scanner has a file open */ }
    }
}
