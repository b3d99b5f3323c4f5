using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Plotting;

namespace RealNvp.Tests.Notebooks;

/// <summary>The notebooks run, cell by cell, and hold what is committed with them.</summary>
[Collection("Console")]
public partial class NotebookTests
{
    // set to 1, it writes the twins anew
    private const string WriteTwins = "REALNVP_WRITE_TWINS";

    public static TheoryData<string> All => [.. Notebook.Names];

    [Theory, MemberData(nameof(All))]
    public async Task Every_cell_runs_and_shows_pictures_and_tables(string name)
    {
        var notebook = Notebook.Read(name);
        var shown = await NotebookRun.RunAsync(notebook);
        shown.Should().Contain(s => s.MimeType == "image/png").And.Contain(s => s.MimeType == "text/html");
        shown.Should().NotContain(s => s.MimeType == "text/plain" && s.Text.Contains(" { ", StringComparison.Ordinal),
            "a record's default text is no form for readers");
        shown.Select(s => s.Cell).Distinct().Should().BeSubsetOf(notebook.Code.Where(c => c.Outputs.Count > 0).Select(c => c.Id),
            "outputs are committed");
    }

    [Theory, MemberData(nameof(All))]
    public void Packages_are_those_of_the_repository_and_stand_in_one_cell(string name)
    {
        var notebook = Notebook.Read(name);
        notebook.Packages.Should().BeEquivalentTo(
            [("TorchSharp-cpu", Repository.TorchSharpVersion), ("RealNvp", StateFile.Library), ("RealNvp.Plotting", StateFile.Library)]);
        notebook.Code.Where(c => c.Source.Contains("#r ", StringComparison.Ordinal)).Should().ContainSingle().Which.Should()
            .Be(notebook.Code.First());
    }

    [Theory, MemberData(nameof(All))]
    public void The_file_is_whole_and_says_nothing_of_a_machine(string name)
    {
        var notebook = Notebook.Read(name);
        notebook.Kernel.Should().Be(".net-csharp");
        notebook.Cells.Select(c => c.Id).Should().OnlyHaveUniqueItems().And.NotContainNulls().And.OnlyContain(id => Id().IsMatch(id!));
        notebook.Code.SelectMany(c => c.Source.Split('\n')).Where(l => l.Length > 100).Should().BeEmpty(
            "a longer line is not seen whole on a page");
        notebook.Code.Should().NotContain(c => c.Source.Contains("using var", StringComparison.Ordinal),
            "a kernel refuses it at the top of a cell");
        notebook.Cells[0].IsCode.Should().BeFalse("a notebook says first what it is about");
        notebook.Code.First().Outputs.Should().BeEmpty("what a restore prints is of a machine");
        var outputs = notebook.Cells.SelectMany(c => c.Outputs).ToArray();
        outputs.Select(o => o.Type).Should().OnlyContain(t => t == "execute_result" || t == "display_data",
            "a reader has no use for errors, warnings and logs");
        outputs.SelectMany(o => o.Data.Keys).Should().Contain("image/png").And.BeSubsetOf(["image/png", "text/html", "text/plain"]);
        var texts = outputs.SelectMany(o => o.Data).Where(d => d.Key != "image/png").Select(d => d.Value).ToArray();
        texts.Where(t => OfPage().IsMatch(t)).Should().BeEmpty("it is a table or a text, which asks no other machine for anything");
        texts.Where(t => Digits().IsMatch(t)).Should().BeEmpty("nobody reads so many digits");
        texts.Append(notebook.Metadata).Concat(notebook.Cells.Select(c => c.Source)).Where(text => Machine().IsMatch(text))
            .Should().BeEmpty();
        outputs.SelectMany(o => o.Data).Where(d => d.Key == "image/png").SelectMany(d => Png.Chunks(Convert.FromBase64String(d.Value)))
            .Should().BeSubsetOf(["IHDR", "sBIT", "IDAT", "IEND"], "a picture is pixels alone, without texts, names and times");
    }

    [Theory]
    [InlineData("/home/ann/.cache/x"), InlineData(@"C:\Users\ann"), InlineData("at http://127.0.0.1:2048/"),
        InlineData("fe80::1c2a:9bff:fe3d:7a10")]
    [InlineData("/tmp/two-moons.safetensors"), InlineData("Installed RealNvp, 0.1.0-notebooks.1764380000"), InlineData("~/.nuget/packages")]
    public void What_a_machine_says_of_itself_is_found(string text) => Machine().IsMatch(text).Should().BeTrue();

    [Theory, MemberData(nameof(All))]
    public void The_twin_is_the_notebook_as_a_program_that_compiles(string name)
    {
        var written = NotebookTwin.Write(Notebook.Read(name));
        var path = NotebookTwin.PathOf(name);
        if (Environment.GetEnvironmentVariable(WriteTwins) == "1") File.WriteAllText(path, written);
        File.Exists(path).Should().BeTrue($"a run of this test with {WriteTwins}=1 writes the twin");
        File.ReadAllText(path).ReplaceLineEndings("\n").Should().Be(written, $"a run of this test with {WriteTwins}=1 writes it anew");
        Errors(written).Should().BeEmpty();
    }

    [Fact]
    public void Every_twin_has_a_notebook() =>
        Directory.EnumerateFiles(Notebook.Folder, "*.cs").Select(f => Path.GetFileNameWithoutExtension(f)).Should()
            .BeSubsetOf(Notebook.Names);

    [SlowFact]
    public void The_real_kernel_runs_every_notebook_on_the_packages()
    {
        using var place = new GeneratedProject();
        var (code, output) = place.Run("bash", Repository.At("eng", "notebooks.sh"), "--check", "--small");
        code.Should().Be(0, output);
        Assert.SkipWhen(output.Contains("Skipped: ", StringComparison.Ordinal), output);
        foreach (var name in Notebook.Names) output.Should().Contain($"{name}: every cell ran");
    }

    [SlowTheory, MemberData(nameof(All))]
    public void The_twin_runs_from_a_clone(string name)
    {
        using var place = new GeneratedProject();
        // a twin looks for data in the folder where it is run, and above
        foreach (var file in Directory.EnumerateFiles(Repository.At("samples", "data"), "*", SearchOption.AllDirectories))
        {
            var copy = place.At(Path.GetRelativePath(Repository.Root, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
        Environment.SetEnvironmentVariable("REALNVP_NOTEBOOK_SMALL", "1");
        try { place.DotNet("run", NotebookTwin.PathOf(name)).Should().Contain("wrote "); }
        finally
        {
            Environment.SetEnvironmentVariable("REALNVP_NOTEBOOK_SMALL", null);
            // what the twin refers to is what this test itself was built of
            place.TryDotNet("clean", NotebookTwin.PathOf(name), "-p:BuildProjectReferences=false");
        }
        Directory.GetFiles(place.At("out", "notebooks"), "*.png").Should().NotBeEmpty();
    }

    private static IEnumerable<string> Errors(string program)
    {
        var options = new CSharpParseOptions(LanguageVersion.CSharp14).WithFeatures([new("FileBasedProgram", "true")]);
        const string Usings = """
            global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq; global using System.Net.Http;
            global using System.Threading; global using System.Threading.Tasks;
            """;
        var references = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Select(p => MetadataReference.CreateFromFile(p));
        return CSharpCompilation.Create("Twin", [CSharpSyntaxTree.ParseText(Usings, options), CSharpSyntaxTree.ParseText(program, options)],
            references,
            new CSharpCompilationOptions(OutputKind.ConsoleApplication, nullableContextOptions: NullableContextOptions.Enable))
            .GetDiagnostics().Where(d => d.Severity >= DiagnosticSeverity.Warning
                && d.Id is not ("CS8892" or "CS1701" or "CS1702" or "CS8019"))
            .Select(d => d.ToString());
    }

    [GeneratedRegex("^[a-z0-9-]{1,64}$")]
    private static partial Regex Id();

    // scripts, styles, other pages
    [GeneratedRegex(@"<script|<style|<link|<iframe|<img|https?:|\bon\w+=", RegexOptions.IgnoreCase)]
    private static partial Regex OfPage();

    [GeneratedRegex(@"\d\.\d{10}")]
    private static partial Regex Digits();

    // folders of users and systems, drives, addresses, ports, caches, packages that were packed for a run
    [GeneratedRegex(
        @"/(root|home|tmp|usr|var|opt|etc|Users|work|workspace|mnt|private)/|\b[A-Z]:\\|file://|localhost" +
        @"|\b\d{1,3}(\.\d{1,3}){3}\b|\b[0-9a-f]{0,4}(:[0-9a-f]{0,4}){4,}\b|\.nuget|nuget:/|\.dotnet/|-notebooks\.\d",
        RegexOptions.IgnoreCase)]
    private static partial Regex Machine();
}
