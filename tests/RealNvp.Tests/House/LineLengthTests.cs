using System.Globalization;
using System.Text.RegularExpressions;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.House;

public class LineLengthTests
{
    /// <summary>What .editorconfig states holds for every line of C#. Lines of raw literals are
    /// somebody else's text (a script, a project file, JSON), and stay as they are.</summary>
    [Fact]
    public void No_line_is_longer_than_the_editorconfig_states()
    {
        var root = Repository.Root;
        var limit = int.Parse(Regex.Match(File.ReadAllText(Path.Combine(root, ".editorconfig")), @"max_line_length\s*=\s*(\d+)")
            .Groups[1].Value, CultureInfo.InvariantCulture);
        var files = new[] { "src", "tests", "samples", "benchmarks", "eng" }
            .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(root, folder), "*.cs", SearchOption.AllDirectories))
            .Where(file => !Path.GetRelativePath(root, file).Split(Path.DirectorySeparatorChar).Any(part => part is "bin" or "obj"))
            .ToArray();
        files.Should().HaveCountGreaterThan(400);
        string.Join('\n', files.SelectMany(file => TooLong(File.ReadLines(file), limit)
            .Select(line => $"{Path.GetRelativePath(root, file)}:{line}"))).Should().BeEmpty();
    }

    private static IEnumerable<int> TooLong(IEnumerable<string> lines, int limit)
    {
        var (raw, number) = (false, 0);
        foreach (var line in lines)
        {
            number++;
            var marks = Regex.Count(line, "\"{3,}");
            if (line.Length > limit && !raw && marks == 0) yield return number;
            if (marks % 2 == 1) raw = !raw;
        }
    }
}
