// Mutation testing of the bijections and transformers: breaks one place at a time in a copy of the checkout, and runs the laws on it.
//   dotnet run eng/mutants.cs -- [--files PART] [--every N] [--offset K] [--limit-minutes M] [--results FILE] [--retry true]
// A mutant is killed where a test fails, survives where all pass; what does not compile does not count. Results are appended to a file,
// and a later run skips what is there; --retry runs those that survived again. --every
// 6 takes a sixth of them, always the same. Nothing outside of the copy is changed.
#:property ImportDirectoryBuildTargets=false
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

var options = new Dictionary<string, string> { ["files"] = "", ["every"] = "1", ["offset"] = "0", ["limit-minutes"] = "600",
    ["results"] = "mutants.tsv", ["retry"] = "false" };
for (var i = 0; i + 1 < args.Length; i += 2) options[args[i].TrimStart('-')] = args[i + 1];
var root = Directory.GetCurrentDirectory();
if (!File.Exists(Path.Combine(root, "RealNvp.sln"))) return Fail("Run this in the root of the repository.");
var results = Path.GetFullPath(options["results"]);

// what a careless hand would change: (pattern, replacement), applied to code and not to comments
(string From, string To)[] rules =
[
    (@"\.add\(", ".sub("), (@"\.sub\(", ".add("), (@"\.mul\(", ".div("), (@"\.div\(", ".mul("), (@"\.neg\(\)", ""), (@"\.exp\(\)", ""),
        (@"\.log\(\)", ""),
    (@"\.tanh\(\)", ""), (@"\.log1p\(\)", ".log()"), (@"\.abs\(\)", ""), (@"\.sigmoid\(\)", ".tanh()"), (@"\.floor\(\)", ".ceil()"),
        (@"\.alias\(\)", ""),
    (@"\.clamp\(", ".add(0).clone().clamp_min("), (@"\.contiguous\(\)", ""), (@"Scalars\.One\b", "Scalars.Two"),
        (@"Scalars\.Two\b", "Scalars.One"),
    (@"Scalars\.Half\b", "Scalars.MinusHalf"), (@"Scalars\.MinusHalf\b", "Scalars.Half"), (@"Scalars\.Zero\b", "Scalars.One"),
    (@"\.sum\(1\)", ".mean([1L])"), (@"\.flip\(3\)", ".flip(2)"), (@"\binverse: true", "inverse: false"),
        (@"\binverse: false", "inverse: true"),
    (@"\binverse \?", "!inverse ?"), (@"if \(!(\w+)\)", "if ($1)"), (@"if \((\w+)\)", "if (!$1)"), (@" == ", " != "), (@" != ", " == "),
        (@" < ", " <= "), (@" > ", " >= "),
    (@" && ", " || "), (@" \|\| ", " && "), (@" \+ ", " - "), (@" - ", " + "), (@" \* ", " / "), (@" / ", " * "), (@"\b0\b(?!\.)", "1"),
        (@"\b1\b(?!\.)", "0"), (@"\b2\b(?!\.)", "3"),
    (@"\btrue\b", "false"), (@"\bfalse\b", "true"), (@", null\)", ", zeros(1))"), (@"\.Reverse\(\)", ""),
        (@"\bforward_order\b", "inverse_order"), (@"\binverse_order\b", "forward_order"),
    (@"\.logical_not\(\)", ""), (@"\btraining\b", "!training"), (@" \?\? ", " is null ? null! : "), (@"\.Aggregate\(1L", ".Aggregate(2L"),
];

var tracked = Run(root, "git", 60, "ls-files").Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
    .Where(f => File.Exists(Path.Combine(root, f))).ToArray();
var files = tracked.Where(f => Regex.IsMatch(f, @"^src/RealNvp/(Bijections|Transformers)/.*\.cs$") && f.Contains(options["files"],
    StringComparison.OrdinalIgnoreCase)).Order(StringComparer.Ordinal).Select(f => Path.Combine(root, f)).ToArray();
var mutants = files.SelectMany(f => MutantsOf(root, f)).ToArray();
var (every, offset) = (int.Parse(options["every"], CultureInfo.InvariantCulture),
    int.Parse(options["offset"], CultureInfo.InvariantCulture));
// the last word on a mutant counts
var done = new Dictionary<string, string>();
foreach (var parts in (File.Exists(results) ? File.ReadAllLines(results) : []).Select(l => l.Split('\t')).Where(p => p.Length == 5))
    done[string.Join('\t', parts[1..])] = parts[0];
static uint Hash(Mutant m) => BitConverter.ToUInt32(SHA256.HashData(Encoding.UTF8.GetBytes(m.Key)));
// spread over the files, so that a run that its limit ends has seen them all; the same order each time
var todo = (options["retry"] == "true" ? mutants.Where(m => done.GetValueOrDefault(m.Key) == "survived")
    : mutants.Where(m => Hash(m) % every == offset && !done.ContainsKey(m.Key))).OrderBy(Hash).ToArray();
Console.WriteLine($"{mutants.Length} mutants in {files.Length} files; {todo.Length} to run now.");

string[] programs = ["RealNvp.LawTests", "RealNvp.Tests"];
var copy = Directory.CreateTempSubdirectory("realnvp-mutants-").FullName;
var clock = Stopwatch.StartNew();
try
{
    foreach (var file in tracked)
    {
        var to = Path.Combine(copy, file);
        Directory.CreateDirectory(Path.GetDirectoryName(to)!);
        File.Copy(Path.Combine(root, file), to);
    }
    foreach (var name in programs)
    {
        var first = Run(copy, "dotnet", 600, "build", Path.Combine(copy, "tests", name, name + ".csproj"), "-v", "q", "--nologo");
        if (first.ExitCode != 0) return Fail("The checkout does not build:\n" + first.Output);
    }
    var built = programs.Select(name => Directory.EnumerateFiles(Path.Combine(copy, "tests", name, "bin"), name + ".dll",
        SearchOption.AllDirectories).Single()).ToArray();
    var (laws, tests) = (built[0], built[1]);
    var baseline = Tests(laws, tests, 600);
    if (baseline.Outcome != "survived")
        return Fail($"The tests do not pass on the code as it is ({baseline.Outcome}), so they can kill nothing:\n{baseline.Output}");
    var seconds = clock.Elapsed.TotalSeconds;
    Console.WriteLine($"The code as it is builds and passes ({seconds:F0} s).");
    foreach (var mutant in todo)
    {
        if (clock.Elapsed.TotalMinutes > double.Parse(options["limit-minutes"], CultureInfo.InvariantCulture)) break;
        var path = Path.Combine(copy, mutant.File);
        var original = File.ReadAllText(path);
        var lines = original.Split('\n');
        lines[mutant.Line - 1] = mutant.After;
        File.WriteAllText(path, string.Join('\n', lines));
        // warnings are no errors here: a mutant may leave a variable unused
        var build = Run(copy, "dotnet", 120, "build", Path.Combine(copy, "src", "RealNvp", "RealNvp.csproj"), "-v", "q", "--nologo",
            "--no-restore", "-p:TreatWarningsAsErrors=false", "-p:RunAnalyzers=false");
        var outcome = "not compiled";
        if (build.ExitCode == 0)
        {
            var library = Directory.EnumerateFiles(Path.Combine(copy, "src", "RealNvp", "bin"), "RealNvp.dll", SearchOption.AllDirectories)
                .First();
            foreach (var program in built)
            {
                // a new file, and not new bytes in one that some process may still have open
                var target = Path.Combine(Path.GetDirectoryName(program)!, "RealNvp.dll");
                File.Delete(target);
                File.Copy(library, target);
            }
            outcome = Tests(laws, tests, 240).Outcome;
        }
        File.WriteAllText(path, original);
        File.AppendAllText(results, $"{outcome}\t{mutant.Key}\n");
        done[mutant.Key] = outcome;
        if (outcome == "survived")
            Console.WriteLine($"survived: {mutant.File}:{mutant.Line}\n  - {mutant.Before.Trim()}\n  + {mutant.After.Trim()}");
    }
}
finally { Directory.Delete(copy, recursive: true); }

var counts = mutants.Where(m => done.ContainsKey(m.Key)).GroupBy(m => done[m.Key]).ToDictionary(g => g.Key, g => g.Count());
var (killed, survived) = (counts.GetValueOrDefault("killed") + counts.GetValueOrDefault("timed out"), counts.GetValueOrDefault("survived"));
Console.WriteLine(
    $"{killed} killed, {survived} survived, {counts.GetValueOrDefault("not compiled")} not compiled: score " +
    $"{100.0 * killed / Math.Max(1, killed + survived):F1} %");
return 0;

IEnumerable<Mutant> MutantsOf(string root, string file)
{
    var lines = File.ReadAllText(file).Split('\n');
    for (var i = 0; i < lines.Length; i++)
    {
        var code = lines[i];
        // comments, declarations, attributes and the text of errors are no behaviour of the maps
        if (Regex.IsMatch(code, @"^\s*(//|using|namespace|\[|throw|\? throw|: throw|public (sealed |abstract )?(partial )?class)")
                || code.Contains("throw new", StringComparison.Ordinal) || code.Contains("ThrowIf", StringComparison.Ordinal))
            continue;
        var end = code.IndexOf("//", StringComparison.Ordinal);
        foreach (var (from, to) in rules)
            foreach (Match match in Regex.Matches(code, from))
            {
                if (end >= 0 && match.Index > end) continue;
                var after = code[..match.Index] + match.Result(to) + code[(match.Index + match.Length)..];
                yield return new Mutant(Path.GetRelativePath(root, file).Replace('\\', '/'), i + 1, code, after);
            }
    }
}

// first the laws over the table of layers, which are quick; what survives them meets the random layers, single layers and golden vectors
(string Outcome, string Output) Tests(string laws, string tests, int limit)
{
    const string layers = "RealNvp.Tests.Laws.LayerLaws";
    (string Program, string[] Which)[] stages = [(laws, ["-class", layers]), (tests, ["-namespace", "RealNvp.Tests.Bijections",
        "-namespace", "RealNvp.Tests.Transformers", "-namespace", "RealNvp.Tests.Golden"]), (laws, ["-class-", layers])];
    foreach (var (program, stage) in stages)
    {
        var run = Run(Path.GetDirectoryName(program)!, "dotnet", limit, [program, .. stage, "-stopOnFail", "-noColor"]);
        if (run.Output.Contains("Total: 0", StringComparison.Ordinal))
            throw new InvalidOperationException($"No test ran for {string.Join(' ', stage)}.");
        if (run.ExitCode != 0) return (run.ExitCode == -1 ? "timed out" : "killed", run.Output);
    }
    return ("survived", "");
}

(int ExitCode, string Output) Run(string folder, string program, int limit, params string[] arguments)
{
    var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true,
        RedirectStandardError = true };
    start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
    start.Environment["DOTNET_CLI_USE_MSBUILD_SERVER"] = "0";
    start.Environment["UseSharedCompilation"] = "false";
    start.Environment["OMP_NUM_THREADS"] = "1";
    using var process = Process.Start(start)!;
    var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
    if (process.WaitForExit(TimeSpan.FromSeconds(limit)))
        return (process.ExitCode, output.GetAwaiter().GetResult() + errors.GetAwaiter().GetResult());
    process.Kill(entireProcessTree: true);
    return (-1, "");
}

static int Fail(string message)
{
    Console.Error.WriteLine(message);
    return 1;
}

internal sealed record Mutant(string File, int Line, string Before, string After)
{
    public string Key => $"{File}\t{Line}\t{Before.Trim()}\t{After.Trim()}";
}
