using System.Globalization;
using System.Text.RegularExpressions;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Docs;

/// <summary>The code of every document compiles and runs, word for word; its links lead somewhere.</summary>
[Collection("Console")]
public partial class DocumentTests
{
    public static TheoryData<string> Documents => [.. DocumentProgram.All.Where(d => d is not ("README.md" or PackageReadme))];

    // its code is nearly the readme's; the test of the packed package runs it
    private const string PackageReadme = "src/RealNvp/PACKAGE.md";

    // the pages of the scorer and of ML.NET begin with a file that somebody has
    [Theory, InlineData(PackageReadme), InlineData("src/RealNvp.Scoring/PACKAGE.md"), InlineData("src/RealNvp.ML/PACKAGE.md"),
        InlineData("src/RealNvp.Mpi/PACKAGE.md")]
    public void The_code_of_a_packages_readme_compiles(string page) => DocumentProgram.Compile(page).EntryPoint.Should().NotBeNull();

    [Theory, MemberData(nameof(Documents))]
    public async Task The_code_of_each_document_runs(string document) => await DocumentProgram.RunAsync(document);

    [Fact]
    public async Task The_code_of_the_readme_learns_the_circle()
    {
        var said = await DocumentProgram.RunAsync("README.md");
        var reached = double.Parse(HeldOut().Match(said).Groups[1].Value, CultureInfo.InvariantCulture);
        reached.Should().BeGreaterThan(-1.3, "a Gaussian of the same spread reaches -2.1 nats");
    }

    [Fact]
    public void The_readme_is_read_in_a_minute() =>
        new FileInfo(Repository.At("README.md")).Length.Should().BeLessThanOrEqualTo(6 * 1024);

    [Fact]
    public void Every_link_between_documents_leads_to_a_file_and_a_heading()
    {
        var broken = Directory.EnumerateFiles(Repository.Root, "*.md").Append(Repository.At("llms.txt"))
            .Concat(new[] { "docs", "skills" }.SelectMany(f => Directory.EnumerateFiles(Repository.At(f), "*.md",
                SearchOption.AllDirectories)))
            .SelectMany(file => Link().Matches(File.ReadAllText(file)).Select(m => (From: file, To: m.Groups[1].Value + m.Groups[2].Value)))
            .Where(link => !link.To.Contains("://", StringComparison.Ordinal) && !link.To.StartsWith("mailto:", StringComparison.Ordinal))
            .Where(link => !Leads(link.From, link.To))
            .Select(link => $"{Path.GetRelativePath(Repository.Root, link.From)} -> {link.To}");
        broken.Should().BeEmpty();
    }

    [Fact]
    public void Every_picture_is_in_a_guide_or_the_readme_and_is_small()
    {
        var texts = string.Concat(Directory.EnumerateFiles(Repository.At("docs"), "*.md", SearchOption.AllDirectories)
            .Append(Repository.At("README.md")).Select(File.ReadAllText));
        var pictures = Directory.GetFiles(Repository.At("docs", "images"));
        pictures.Should().HaveCountGreaterThan(10);
        pictures.Where(p => !texts.Contains($"images/{Path.GetFileName(p)}", StringComparison.Ordinal)).Should().BeEmpty("nobody sees it");
        pictures.Where(p => new FileInfo(p).Length > 300_000).Should().BeEmpty("a page is read over a telephone as well");
    }

    [Fact]
    public void The_pictures_that_the_program_of_the_guides_makes_are_those_of_the_guides()
    {
        var made = SavedPicture().Matches(File.ReadAllText(Repository.At("samples", "guides", "pictures.cs")))
            .Select(m => m.Groups[1].Value);
        made.Should().HaveCountGreaterThan(6);
        made.Where(name => !File.Exists(Repository.At("docs", "images", $"{name}.png"))).Should().BeEmpty();
    }

    [Theory, InlineData("docs/README.md"), InlineData("llms.txt")]
    public void Every_guide_is_in_the_index_for_people_and_in_that_for_machines(string index)
    {
        var text = File.ReadAllText(Repository.At(index));
        var guides = Directory.EnumerateFiles(Repository.At("docs"), "*.md").Select(f => Path.GetFileName(f)!)
            .Where(f => f is not ("README.md" or "index.md" or "performance-method.md" or "mutation-testing.md")).ToArray();
        guides.Should().HaveCountGreaterThan(15);
        guides.Should().OnlyContain(guide => text.Contains($"{guide})", StringComparison.Ordinal));
    }

    [Fact]
    public void The_skill_is_short_says_when_to_use_it_and_has_six_recipes()
    {
        var lines = File.ReadAllLines(Repository.At("skills", "realnvp", "SKILL.md"));
        lines.Length.Should().BeLessThanOrEqualTo(200);
        lines.Take(4).Should().Equal("---", "name: realnvp", lines[2], "---");
        lines[2].Should().StartWith("description: ").And.Contain("Use it for");
        lines[2].Length.Should().BeLessThanOrEqualTo(1024, "agents read no longer description");
        lines.Count(l => Recipe().IsMatch(l)).Should().Be(6);
    }

    private static bool Leads(string from, string link)
    {
        var (path, heading) = link.Split('#') is [var p, var h] ? (p, h) : (link, null);
        var file = path.Length == 0 ? from : Path.GetFullPath(Path.Combine(Path.GetDirectoryName(from)!, path));
        if (!File.Exists(file) && !Directory.Exists(file)) return false;
        return heading is null || (file.EndsWith(".md", StringComparison.Ordinal) && File.ReadLines(file).Any(line => line.StartsWith('#')
            && Anchor(line) == heading));
    }

    // as the code hosts make it: small letters, without punctuation, blanks to hyphens
    private static string Anchor(string line) =>
        string.Concat(line.TrimStart('#').Trim().ToLowerInvariant().Where(c => char.IsLetterOrDigit(c) || c is ' ' or '-' or '_'))
            .Replace(' ', '-');

    [GeneratedRegex(@"^## \d+\. ")]
    private static partial Regex Recipe();

    [GeneratedRegex(@"Save\(""([\w-]+)"",")]
    private static partial Regex SavedPicture();

    [GeneratedRegex(@"held-out log-likelihood: (-?\d+\.\d+) nats")]
    private static partial Regex HeldOut();

    [GeneratedRegex(@"\]\(([^)\s]+)\)|<img src=""([^""]+)""")]
    private static partial Regex Link();
}
