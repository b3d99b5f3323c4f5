using System.Text.RegularExpressions;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Docs;

/// <summary>The site of guides and reference, which CI builds.</summary>
public partial class SiteTests
{
    [SlowFact]
    public void The_site_builds_without_a_warning_and_its_reference_has_no_members_of_torch()
    {
        using var place = new GeneratedProject();
        Assert.SkipUnless(place.Run("git", "--version").ExitCode == 0 && Path.Exists(Repository.At(".git")), "needs git and a clone");
        var (code, output) = place.Run("git", "clone", "--quiet", Repository.Root, "clone");
        code.Should().Be(0, output);
        place.DotNet("tool", "restore", "--tool-manifest", place.At("clone", ".config", "dotnet-tools.json"));
        var (result, said) = place.Run("bash", "-c", "cd clone && dotnet docfx eng/docfx/docfx.json --warningsAsErrors");
        result.Should().Be(0, said);
        said.Should().Contain("0 warning(s)");
        var page = File.ReadAllText(place.At("clone", "artifacts", "site", "api", "RealNvp.ActNorm.html"));
        page.Should().Contain("ForwardCore").And.NotContain("load_state_dict", "a reader of a layer looks for the layer's members");
        File.ReadAllText(place.At("clone", "artifacts", "site", "index.html")).Should().Contain("docs/README.html");
    }

    // docfx warns of such a comment, which fails the workflow: this says it in a plain run
    [Fact]
    public void No_comment_states_parameters_that_it_inherits()
    {
        var folder = Repository.At("src");
        Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories)
            .Where(f => !Path.GetRelativePath(folder, f).Split(Path.DirectorySeparatorChar).Any(p => p is "bin" or "obj"))
            .SelectMany(f => Comment().Matches(File.ReadAllText(f).ReplaceLineEndings("\n")).Select(m => (File: f, Text: m.Value)))
            .Where(c => WholeInheritance().IsMatch(c.Text) && c.Text.Contains("<param ", StringComparison.Ordinal))
            .Select(c => $"{Path.GetRelativePath(Repository.Root, c.File)}: {c.Text.Split('\n')[0].Trim()}")
            .Should().BeEmpty("write path=\"/exception\" or the like into inheritdoc, or leave it out");
    }

    [GeneratedRegex(@"(^[ \t]*///.*\n)+", RegexOptions.Multiline)]
    private static partial Regex Comment();

    [GeneratedRegex("<inheritdoc(?![^>]*path=)")]
    private static partial Regex WholeInheritance();

    [SlowFact]
    public void Every_decision_is_in_their_list()
    {
        var list = File.ReadAllText(Repository.At("docs", "decisions", "README.md"));
        Directory.EnumerateFiles(Repository.At("docs", "decisions"), "0*.md").Select(f => Path.GetFileName(f)!)
            .Should().OnlyContain(f => list.Contains($"({f})", StringComparison.Ordinal));
    }
}
