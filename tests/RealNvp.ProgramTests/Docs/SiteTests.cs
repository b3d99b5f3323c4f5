using System.Text.Json;
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

    // docfx warns of a link that leaves the site, which fails the workflow: this says it in a plain run
    [Fact]
    public void Every_link_of_a_page_leads_to_a_file_of_the_site()
    {
        using var project = JsonDocument.Parse(File.ReadAllText(Repository.At("eng", "docfx", "docfx.json")));
        var files = Matcher([.. project.RootElement.GetProperty("build").EnumerateObject().Where(p => p.Name is "content" or "resource")
            .SelectMany(p => p.Value.EnumerateArray()).SelectMany(group => group.GetProperty("files").EnumerateArray())
            .Select(pattern => pattern.GetString()!)]);
        var pages = Directory.EnumerateFiles(Repository.Root, "*.md", SearchOption.AllDirectories)
            .Select(f => Path.GetRelativePath(Repository.Root, f).Replace('\\', '/')).Where(files).ToArray();
        pages.Should().HaveCountGreaterThan(30);
        pages.SelectMany(page => Link().Matches(Code().Replace(File.ReadAllText(Repository.At(page)), ""))
                .Select(m => m.Groups[1].Value.Split('#')[0]).Where(to => to.Length > 0 && !to.Contains(':', StringComparison.Ordinal))
                .Select(to => Path.GetRelativePath(Repository.Root, Path.Combine(Path.GetDirectoryName(Repository.At(page))!, to)))
                .Where(to => !files(to.Replace('\\', '/')) || !File.Exists(Repository.At(to)))
                .Select(to => $"{page} -> {to}"))
            .Should().BeEmpty("name the file in eng/docfx/docfx.json; a folder has no page");

        static Func<string, bool> Matcher(string[] patterns)
        {
            // ** is any path, * any name
            var any = new Regex($"^({string.Join('|', patterns.Select(p => Regex.Escape(p).Replace(@"\*\*", ".*", StringComparison.Ordinal)
                .Replace(@"\*", "[^/]*", StringComparison.Ordinal)))})$");
            return any.IsMatch;
        }
    }

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex("```.*?```|`[^`]*`", RegexOptions.Singleline)]
    private static partial Regex Code();

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
