using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Docs;

/// <summary>The site of guides and reference, which CI builds.</summary>
public class SiteTests
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

    [SlowFact]
    public void Every_decision_is_in_their_list()
    {
        var list = File.ReadAllText(Repository.At("docs", "decisions", "README.md"));
        Directory.EnumerateFiles(Repository.At("docs", "decisions"), "0*.md").Select(f => Path.GetFileName(f)!)
            .Should().OnlyContain(f => list.Contains($"({f})", StringComparison.Ordinal));
    }
}
