using System.IO.Compression;
using System.Xml.Linq;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Packaging;

/// <summary>The NuGet package as its users meet it.</summary>
public sealed class PackageTests(PackageTests.Feed feed) : IClassFixture<PackageTests.Feed>
{
    [Fact]
    public void The_package_depends_on_TorchSharp_alone_and_carries_docs_targets_symbols_readme_and_licence()
    {
        using var package = ZipFile.OpenRead(feed.At("feed", $"RealNvp.{Feed.Version}.nupkg"));
        package.Entries.Select(e => e.FullName).Should().Contain(
            ["PACKAGE.md", "icon.png", "lib/net10.0/RealNvp.dll", "lib/net10.0/RealNvp.xml", "buildTransitive/RealNvp.targets"]);

        using var stream = package.GetEntry("RealNvp.nuspec")!.Open();
        var nuspec = XDocument.Load(stream).Descendants().ToLookup(e => e.Name.LocalName);
        nuspec["dependency"].Should().ContainSingle().Which.Attribute("id")!.Value.Should().Be("TorchSharp");
        nuspec["license"].Single().Value.Should().Be("MIT");
        nuspec["icon"].Single().Value.Should().Be("icon.png");
        nuspec["readme"].Single().Value.Should().Be("PACKAGE.md");
        using var readme = new StreamReader(package.GetEntry("PACKAGE.md")!.Open());
        readme.ReadToEnd().Should().NotMatchRegex("<(p|img)|\\]\\((?!https://)", "the gallery shows neither HTML nor relative links");

        using var symbols = ZipFile.OpenRead(feed.At("feed", $"RealNvp.{Feed.Version}.snupkg"));
        symbols.Entries.Select(e => e.FullName).Should().Contain("lib/net10.0/RealNvp.pdb");
    }

    [SlowFact]
    public void Two_clones_of_a_commit_give_the_same_packages_byte_for_byte()
    {
        using var place = new GeneratedProject();
        Assert.SkipUnless(place.Run("git", "--version").ExitCode == 0 && Directory.Exists(Repository.At(".git")) | File.Exists(Repository.At(".git")), "needs git and a clone");
        foreach (var clone in new[] { "one", "two" })
        {
            var (code, output) = place.Run("git", "clone", "--quiet", Repository.Root, clone);
            code.Should().Be(0, output);
            place.DotNet("pack", $"{clone}/src/RealNvp/RealNvp.csproj", "-o", $"packages-{clone}", "-p:ContinuousIntegrationBuild=true", "-p:SOURCE_DATE_EPOCH=1700000000");
        }
        foreach (var file in Directory.EnumerateFiles(place.At("packages-one")))
            File.ReadAllBytes(file).AsSpan().SequenceEqual(File.ReadAllBytes(place.At("packages-two", Path.GetFileName(file)))).Should().BeTrue(Path.GetFileName(file));
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

    private const string Program = """
        RealNvp.TorchBackend.EnsureAvailable();
        System.Console.WriteLine($"{args[0]} {TorchSharp.torch.ones(3).sum().item<float>()}");
        """;

    /// <summary>A folder with the packed library, which was built with these tests.</summary>
    public sealed class Feed : IDisposable
    {
        // A version that no cache can hold from an earlier run.
        public static readonly string Version = $"0.0.0-test.{Guid.NewGuid():n}";
        private readonly GeneratedProject packed = new();

        public Feed() =>
            packed.DotNet("pack", Repository.At("src", "RealNvp", "RealNvp.csproj"), "--no-build", "-c", Repository.Configuration, "-o", At("feed"), $"-p:Version={Version}");

        public string At(params ReadOnlySpan<string> parts) => packed.At(parts);

        /// <summary>An empty project folder that restores from this feed, and takes everything else from the cache of this build.</summary>
        internal GeneratedProject NewConsumer()
        {
            var app = new GeneratedProject();
            app.Write("nuget.config", $"""
                <configuration>
                  <packageSources><add key="packed" value="{At("feed")}" /></packageSources>
                  <fallbackPackageFolders><add key="cache" value="{Repository.PackageCache}" /></fallbackPackageFolders>
                  <config><add key="globalPackagesFolder" value="{app.At("packages")}" /></config>
                </configuration>
                """);
            return app;
        }

        public void Dispose() => packed.Dispose();
    }
}
