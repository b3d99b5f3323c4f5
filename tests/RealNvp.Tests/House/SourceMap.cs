using System.Text.RegularExpressions;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.House;

/// <summary>Where each type of src/RealNvp is declared.</summary>
internal static partial class SourceMap
{
    /// <summary>The paths, below src/RealNvp and with slashes, of the files that declare a type that is not nested.</summary>
    public static IReadOnlyDictionary<string, string[]> Files { get; } = Sources()
        .SelectMany(path => Declaration().Matches(File.ReadAllText(Root(path))).Select(m => (Name: m.Groups["name"].Value, path)))
        .GroupBy(d => d.Name, d => d.path).ToDictionary(g => g.Key, g => g.Distinct().Order(StringComparer.Ordinal).ToArray());

    /// <summary>All source files, below src/RealNvp and with slashes.</summary>
    public static IEnumerable<string> Sources() => Directory.EnumerateFiles(Root(""), "*.cs", SearchOption.AllDirectories)
        .Select(f => Path.GetRelativePath(Root(""), f).Replace('\\', '/')).Where(f => !f.StartsWith("obj/", StringComparison.Ordinal)
            && !f.StartsWith("bin/", StringComparison.Ordinal));

    public static string Root(string path) => Repository.At("src", "RealNvp", path);

    // a declaration that begins a line is not nested
    [GeneratedRegex(
        @"^(?:(?:public|internal|file|sealed|abstract|static|readonly|unsafe|partial|ref)\s+)+" +
        @"(?:class|struct|interface|enum|record(?:\s+(?:class|struct))?|delegate\s+[\w<>?,. \[\]()]+?)\s+(?<name>\w+)",
        RegexOptions.Multiline)]
    private static partial Regex Declaration();
}
