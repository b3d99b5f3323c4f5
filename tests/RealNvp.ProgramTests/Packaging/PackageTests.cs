using System.IO.Compression;
using System.Reflection.Metadata;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Packaging;

/// <summary>The NuGet package as its users meet it.</summary>
public sealed partial class PackageTests(PackageTests.Feed feed) : IClassFixture<PackageTests.Feed>
{
    [Fact]
    public void The_package_depends_on_TorchSharp_alone_and_carries_docs_targets_symbols_readme_and_licence()
    {
        using var package = ZipFile.OpenRead(feed.At("feed", $"RealNvp.{Feed.Version}.nupkg"));
        package.Entries.Select(e => e.FullName).Should().Contain(
            ["PACKAGE.md", "icon.png", "lib/net10.0/RealNvp.dll", "lib/net10.0/RealNvp.xml", "buildTransitive/RealNvp.targets",
                "interactive-extensions/dotnet/extension.dib", "llms.txt", "skills/realnvp/SKILL.md"]);

        using var stream = package.GetEntry("RealNvp.nuspec")!.Open();
        var nuspec = XDocument.Load(stream).Descendants().ToLookup(e => e.Name.LocalName);
        nuspec["dependency"].Should().ContainSingle().Which.Attribute("id")!.Value.Should().Be("TorchSharp");
        nuspec["license"].Single().Value.Should().Be("MIT");
        nuspec["icon"].Single().Value.Should().Be("icon.png");
        nuspec["readme"].Single().Value.Should().Be("PACKAGE.md");

        using var symbols = ZipFile.OpenRead(feed.At("feed", $"RealNvp.{Feed.Version}.snupkg"));
        symbols.Entries.Select(e => e.FullName).Should().Contain("lib/net10.0/RealNvp.pdb");
    }

    /// <summary>All packages of this repository.</summary>
    public static TheoryData<string> Libraries => ["RealNvp", "RealNvp.Plotting", "RealNvp.Scoring", "RealNvp.Extensions", "RealNvp.ML",
        "RealNvp.Mpi"];

    [Theory, MemberData(nameof(Libraries))]
    public void The_page_of_a_package_is_Markdown_alone_with_whole_addresses(string library) =>
        Regex.Replace(File.ReadAllText(Repository.At("src", library, "PACKAGE.md")), "```.*?```", "", RegexOptions.Singleline).Should()
            .NotMatchRegex("<[a-z/]|\\]\\((?!https://)", "the gallery shows neither HTML nor relative links");

    [SlowFact]
    public void Two_clones_of_a_commit_give_the_same_packages_byte_for_byte_which_say_where_their_source_is()
    {
        using var place = new GeneratedProject();
        Assert.SkipUnless(place.Run("git", "--version").ExitCode == 0
            && Directory.Exists(Repository.At(".git")) | File.Exists(Repository.At(".git")), "needs git and a clone");
        string? commit = null;
        foreach (var clone in new[] { "one", "two" })
        {
            var (code, output) = place.Run("git", "clone", "--quiet", Repository.Root, clone);
            code.Should().Be(0, output);
            // a commit may be packed from a branch, from another one, or from a tag
            commit ??= place.Run("git", "-C", clone, "rev-parse", "HEAD").Output.Trim();
            place.Run("git", "-C", clone, "checkout", "--quiet", "-b", $"branch-{clone}", commit).ExitCode.Should().Be(0);
            // as on the code host, where the workflow packs
            place.Run("git", "-C", clone, "remote", "set-url", "origin", $"{Host}/{Name}.git").ExitCode.Should().Be(0);
            foreach (string library in Libraries)
                place.DotNet("pack", $"{clone}/src/{library}/{library}.csproj", "-o", $"packages-{clone}",
                    "-p:ContinuousIntegrationBuild=true", "-p:SOURCE_DATE_EPOCH=1700000000", $"-p:GITHUB_SERVER_URL={Host}",
                    $"-p:GITHUB_REPOSITORY={Name}");
        }
        var packages = Directory.GetFiles(place.At("packages-one"));
        packages.Should().HaveCount(2 * Libraries.Count, "packages, and the symbols of each");
        foreach (var file in packages)
            File.ReadAllBytes(file).AsSpan().SequenceEqual(File.ReadAllBytes(place.At("packages-two", Path.GetFileName(file)))).Should()
                .BeTrue(Path.GetFileName(file));

        foreach (var file in packages.Where(f => f.EndsWith(".nupkg", StringComparison.Ordinal))) SaysWhereItsSourceIs(file);
        foreach (var file in packages.Where(f => f.EndsWith(".snupkg", StringComparison.Ordinal)))
            SourceLink(file).Should().Contain($"/{Name}/{commit}/*", "a debugger fetches each file from there");
    }

    private const string Host = "https://github.com", Name = "example/realnvp";

    private static void SaysWhereItsSourceIs(string file)
    {
        using var package = ZipFile.OpenRead(file);
        using var stream = package.Entries.Single(e => e.FullName.EndsWith(".nuspec", StringComparison.Ordinal)).Open();
        var nuspec = XDocument.Load(stream).Descendants().ToLookup(e => e.Name.LocalName);
        nuspec["projectUrl"].Single().Value.Should().Be($"{Host}/{Name}");
        nuspec["releaseNotes"].Single().Value.Should().StartWith($"{Host}/{Name}/").And.EndWith("CHANGELOG.md");
        var repository = nuspec["repository"].Single();
        repository.Attribute("type")!.Value.Should().Be("git");
        repository.Attribute("url")!.Value.Should().StartWith($"{Host}/{Name}");
        repository.Attribute("commit")!.Value.Should().MatchRegex("^[0-9a-f]{40}$");
    }

    // the table that the compiler writes into the symbols, by the kind that the portable format gives it
    private static string SourceLink(string symbols)
    {
        using var package = ZipFile.OpenRead(symbols);
        using var stream = package.Entries.Single(e => e.FullName.EndsWith(".pdb", StringComparison.Ordinal)).Open();
        using var copy = new MemoryStream();
        stream.CopyTo(copy);
        copy.Position = 0;
        using var provider = MetadataReaderProvider.FromPortablePdbStream(copy);
        var reader = provider.GetMetadataReader();
        var link = reader.GetCustomDebugInformation(EntityHandle.ModuleDefinition).Select(reader.GetCustomDebugInformation)
            .Single(i => reader.GetGuid(i.Kind) == new Guid("CC110556-A091-4D38-9FEC-25AB9A351A6A"));
        return Encoding.UTF8.GetString(reader.GetBlobBytes(link.Value));
    }

    [SlowTheory]
    [InlineData("")]
    [InlineData("<RuntimeIdentifier>$(NETCoreSdkRuntimeIdentifier)</RuntimeIdentifier><SelfContained>false</SelfContained>")]
    public void An_application_that_references_the_package_builds_runs_and_publishes(string properties)
    {
        using var app = feed.NewConsumer();
        app.Write("App.cs", Program);
        app.Write("App.csproj", $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <TargetFramework>net10.0</TargetFramework>
                <OutputType>Exe</OutputType>
                {properties}
              </PropertyGroup>
              <ItemGroup>
                <PackageReference Include="RealNvp" Version="{Feed.Version}" />
                <PackageReference Include="TorchSharp-cpu" Version="{Repository.TorchSharpVersion}" />
              </ItemGroup>
            </Project>
            """);
        app.DotNet("run", "--", "one").TrimEnd().Should().EndWith("one 3");
        app.DotNet("build").Should().NotContain("no longer insists", "the build of `run` has done it");
        app.DotNet("run", "--no-build", "--", "two").TrimEnd().Should().EndWith("two 3");
        app.DotNet("publish", "-o", "published");
        app.DotNet("published/App.dll", "three").TrimEnd().Should().EndWith("three 3");
    }

    [SlowFact]
    public void A_file_based_application_runs_and_publishes()
    {
        using var app = feed.NewConsumer();
        app.Write("app.cs", $"""
            #:package RealNvp@{Feed.Version}
            #:package TorchSharp-cpu@{Repository.TorchSharpVersion}
            #:property PublishAot=false
            {Program}
            """);
        try
        {
            app.DotNet("run", "app.cs", "one").TrimEnd().Should().EndWith("one 3");
            app.DotNet("run", "app.cs", "two").TrimEnd().Should().EndWith("two 3");
            app.DotNet("publish", "app.cs", "-o", "published");
            app.DotNet("published/app.dll", "three").TrimEnd().Should().EndWith("three 3");
        }
        finally
        {
            // The SDK builds it in a folder of its own, where gigabytes would stay.
            app.TryDotNet("clean", "app.cs");
            app.TryDotNet("clean", "app.cs", "-c", "Release");
        }
    }

    [SlowFact]
    public void A_test_project_that_references_the_package_passes()
    {
        using var app = feed.NewConsumer();
        app.Write("global.json", """{ "test": { "runner": "Microsoft.Testing.Platform" } }""");
        app.Write("Tests.cs", """
            public class TorchTests
            {
                [Xunit.Fact] public void Torch_adds() { RealNvp.TorchBackend.EnsureAvailable(); Xunit.Assert.Equal(3, TorchSharp.torch.ones(3).sum().item<float>()); }
            }
            """);
        app.Write("Tests.csproj", $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup><TargetFramework>net10.0</TargetFramework><OutputType>Exe</OutputType></PropertyGroup>
              <ItemGroup>
                <PackageReference Include="RealNvp" Version="{Feed.Version}" />
                <PackageReference Include="TorchSharp-cpu" Version="{Repository.TorchSharpVersion}" />
                <PackageReference Include="xunit.v3" Version="{typeof(FactAttribute).Assembly.GetName().Version!.ToString(3)}" />
              </ItemGroup>
            </Project>
            """);
        app.DotNet("test").Should().Contain("succeeded: 1");
    }

    [SlowFact]
    public void A_host_that_has_switched_JSON_by_reflection_off_saves_loads_checkpoints_and_resumes()
    {
        using var app = feed.NewConsumer();
        app.Write("App.cs", JsonProgram);
        app.Write("App.csproj", $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <TargetFramework>net10.0</TargetFramework>
                <OutputType>Exe</OutputType>
                <RuntimeIdentifier>$(NETCoreSdkRuntimeIdentifier)</RuntimeIdentifier>
                <SelfContained>false</SelfContained>
                <Nullable>enable</Nullable>
                <ImplicitUsings>enable</ImplicitUsings>
                <JsonSerializerIsReflectionEnabledByDefault>false</JsonSerializerIsReflectionEnabledByDefault>
                <CreateSymbolicLinksForCopyLocalIfPossible Condition="!$([MSBuild]::IsOSPlatform('Windows'))">true</CreateSymbolicLinksForCopyLocalIfPossible>
              </PropertyGroup>
              <ItemGroup>
                <PackageReference Include="RealNvp" Version="{Feed.Version}" />
                <PackageReference Include="TorchSharp-cpu" Version="{Repository.TorchSharpVersion}" />
              </ItemGroup>
            </Project>
            """);
        var output = app.DotNet("run");
        var kinds = typeof(FlowModel).Assembly.GetExportedTypes().Where(type => type.IsSubclassOf(typeof(FlowModel)) && !type.IsAbstract)
            .Select(type => type.Name).ToArray();
        kinds.Should().HaveCountGreaterThan(7);
        foreach (var kind in kinds) output.Should().Contain($"{kind}: True", "the program has a model of each kind");
        output.Should().Contain("reflection: False, refused: True").And.Contain("resumed: True").And.Contain("weights: True")
            .And.Contain("detector: True").And.Contain("table: True");
    }

    private const string Program = """
        RealNvp.TorchBackend.EnsureAvailable();
        System.Console.WriteLine($"{args[0]} {TorchSharp.torch.ones(3).sum().item<float>()}");
        """;
}
