#:property PublishAot=false
#:property ImportDirectoryBuildTargets=false
// Does what docs/first-picture.md says, word for word, as somebody with nothing but the SDK would, and says how long it took:
//   dotnet run eng/first-picture.cs                     packs, then: empty folder, empty package cache, picture
//   dotnet run eng/first-picture.cs -- --cache          with the packages of this machine's cache: without the download of libtorch
//   dotnet run eng/first-picture.cs -- --keep FILE.png  keeps the picture
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

var root = Path.GetDirectoryName(Path.GetDirectoryName(Here()))!;
var keep = args.SkipWhile(a => a != "--keep").ElementAtOrDefault(1) is { } file ? Path.GetFullPath(file) : null;
var page = File.ReadAllText(Path.Combine(root, "docs", "first-picture.md")).ReplaceLineEndings("\n");
var blocks = Regex.Matches(page, "^```(\\w*)\n(.*?)^```", RegexOptions.Singleline | RegexOptions.Multiline)
    .Select(m => (Language: m.Groups[1].Value, Text: m.Groups[2].Value)).ToArray();
var folder = Directory.CreateTempSubdirectory("realnvp-first-").FullName;
try
{
    var feed = Path.Combine(folder, "feed");
    foreach (var library in new[] { "RealNvp", "RealNvp.Plotting" })
        Run(root, $"dotnet pack src/{library}/{library}.csproj -o {feed} -v q");
    // until the packages are in a gallery, this folder is one
    File.WriteAllText(Path.Combine(folder, "nuget.config"),
        $"<configuration><packageSources><add key=\"packed\" value=\"{feed}\" /></packageSources></configuration>");
    // also with --cache: the two packages come from the folder, and not from an earlier build of the same version
    var cache = Path.Combine(folder, "packages");
    Environment.SetEnvironmentVariable("NUGET_PACKAGES", cache);
    if (args.Contains("--cache"))
        File.WriteAllText(Path.Combine(folder, "nuget.config"), $"""
            <configuration>
              <packageSources><add key="packed" value="{feed}" /></packageSources>
              <fallbackPackageFolders><add key="cache" value="{MachineCache()}" /></fallbackPackageFolders>
            </configuration>
            """);

    var clock = Stopwatch.StartNew();
    var place = folder;
    foreach (var line in blocks.Where(b => b.Language.Length == 0)
        .SelectMany(b => b.Text.Split('\n', StringSplitOptions.RemoveEmptyEntries)))
    {
        if (line.StartsWith("cd ", StringComparison.Ordinal)) { place = Path.Combine(place, line[3..]); continue; }
        // the program is written when its project is there, and before it runs
        if (line == "dotnet run") File.WriteAllText(Path.Combine(place, "Program.cs"), blocks.Single(b => b.Language == "csharp").Text);
        Run(place, line);
    }
    var picture = Directory.EnumerateFiles(place, "*.png").Single();
    Console.WriteLine(
        $"From an empty folder to {Path.GetFileName(picture)} ({new FileInfo(picture).Length:N0} bytes): " +
        $"{clock.Elapsed.TotalSeconds:F0} s, "
        + $"{(args.Contains("--cache") ? "with" : "without")} the packages of TorchSharp in the cache, on {Environment.ProcessorCount} " +
            $"cores.");
    if (keep is not null) File.Copy(picture, keep, overwrite: true);
    return 0;
}
finally { Directory.Delete(folder, recursive: true); }

static void Run(string folder, string command)
{
    var watch = Stopwatch.StartNew();
    var words = command.Split(' ');
    var start = new ProcessStartInfo(words[0], words[1..]) { WorkingDirectory = folder, RedirectStandardOutput = true };
    start.Environment["DOTNET_NOLOGO"] = "1";
    start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
    using var process = Process.Start(start)!;
    var output = process.StandardOutput.ReadToEnd();
    process.WaitForExit();
    Console.WriteLine($"{watch.Elapsed.TotalSeconds,6:F1} s  {command}");
    if (process.ExitCode != 0) throw new InvalidOperationException($"'{command}' ended with {process.ExitCode}:\n{output}");
}

static string MachineCache() => Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");

static string Here([CallerFilePath] string path = "") => path;
