using System.Text.RegularExpressions;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Packaging;

/// <summary>The workflows run nothing that can change behind a name, and get no more rights than they need.</summary>
public partial class WorkflowTests
{
    public static TheoryData<string> Workflows =>
        [.. Directory.EnumerateFiles(Repository.At(".github", "workflows"), "*.yml").Select(f => Path.GetFileName(f)!)];

    [Theory, MemberData(nameof(Workflows))]
    public void Actions_are_pinned_to_a_commit_and_checkouts_keep_no_credentials(string file)
    {
        var text = File.ReadAllText(Repository.At(".github", "workflows", file));
        Uses().Matches(text).Select(m => m.Groups[1].Value).Where(u => !u.StartsWith("./", StringComparison.Ordinal)).Should()
            .OnlyContain(u => Pinned().IsMatch(u));
        Regex.Count(text, "persist-credentials: false").Should().Be(Regex.Count(text, "uses: actions/checkout@"));
        text.Should().Contain("permissions:\n  contents: read");
    }

    [GeneratedRegex(@"uses: (\S+)")]
    private static partial Regex Uses();

    [GeneratedRegex("^[^@]+@[0-9a-f]{40}$")]
    private static partial Regex Pinned();
}
