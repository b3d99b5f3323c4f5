using System.Text.RegularExpressions;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.House;

public class WordTests
{
    /// <summary>"If" is a condition, "when" a time, "where" a place: "null
    /// where there is none" sends a reader to look for a place.</summary>
    [Fact]
    public void Documentation_says_if_when_it_means_a_condition()
    {
        var condition =
            new Regex(@"\b(null|[Tt]rue|[Ff]alse|NaN|empty|[Tt]hrows?|infinity) where\b|\bwhere there (is|are) (one|none|some|no)\b");
        var root = Repository.Root;
        string.Join('\n', new[] { "src", "docs", "samples" }
            .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(root, folder), "*.*", SearchOption.AllDirectories))
            .Where(file => Path.GetExtension(file) is ".cs" or ".md")
            .Where(file => !Path.GetRelativePath(root, file).Split(Path.DirectorySeparatorChar).Any(part => part is "bin" or "obj"))
            .SelectMany(file => File.ReadLines(file).Select((text, n) => (text, n)).Where(line => Speaks(file, line.text)
                && condition.IsMatch(line.text))
                .Select(line => $"{Path.GetRelativePath(root, file)}:{line.n + 1}: {line.text.Trim()}"))).Should().BeEmpty();
    }

    private static bool Speaks(string file, string line) =>
        Path.GetExtension(file) == ".md" || line.TrimStart().StartsWith("//", StringComparison.Ordinal);
}
