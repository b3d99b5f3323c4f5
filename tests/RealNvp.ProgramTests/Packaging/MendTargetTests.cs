using System.Security.Cryptography;
using System.Text.RegularExpressions;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Packaging;

/// <summary>The packaged build target on a tiny program: on a good and a bad system, with and without a runtime identifier.</summary>
public sealed partial class MendTargetTests(MendTargetTests.App app) : IClassFixture<MendTargetTests.App>
{
    private const string Asked = "GLIBCXX_3.4.32";
    private const string Flat = "libLibTorchSharp.so", Nested = "runtimes/linux-x64/native/libLibTorchSharp.so";

    [Fact]
    public void A_build_on_an_old_system_gets_a_library_that_may_lack_the_version()
    {
        OnLinux();
        app.Build("old", "-r", "linux-x64", app.OldSystem);
        IsMended(app.Output("old", Flat)).Should().BeTrue();
        CacheIsUntouched();
    }

    [Fact]
    public void A_build_without_a_runtime_identifier_is_mended_too()
    {
        OnLinux();
        app.Build("portable", app.OldSystem);
        IsMended(app.Output("portable", Nested)).Should().BeTrue();
        app.Build("portable", app.OldSystem).Should().NotContain("no longer insists", "an incremental build has nothing to do");
        CacheIsUntouched();
    }

    [Fact]
    public void An_output_of_links_into_the_package_cache_is_mended_without_writing_through_them()
    {
        OnLinux();
        string[] linked = ["-r", "linux-x64", "-p:CreateSymbolicLinksForCopyLocalIfPossible=true"];
        app.Build("links", [.. linked, app.NewSystem]);
        new FileInfo(app.Output("links", Flat)).ResolveLinkTarget(returnFinalTarget: true)!.FullName.Should().Be(app.CachedLibrary);

        app.Build("links", "-r", "linux-x64", app.OldSystem);
        IsMended(app.Output("links", Flat)).Should().BeTrue();
        CacheIsUntouched();
    }

    [Fact]
    public void A_publish_can_be_mended_for_an_older_system_than_this_one()
    {
        app.DotNet("publish", "-r", "linux-x64", "--no-self-contained", "-o", "published", app.NewSystem, "-p:RealNvpMendLibstdcxx=always");
        IsMended(app.At("published", Flat)).Should().BeTrue();
        CacheIsUntouched();
    }

    [Fact]
    public void A_new_system_gets_the_library_as_it_came()
    {
        OnLinux();
        app.Resolve(app.NewSystem).Should().Be(app.CachedLibrary);
    }

    [Theory]
    [InlineData("false")]
    [InlineData("never")]
    public void An_application_can_opt_out(string value) =>
        app.Resolve(app.OldSystem, $"-p:RealNvpMendLibstdcxx={value}").Should().Be(app.CachedLibrary);

    [Fact]
    public void A_system_without_any_libstdcxx_that_can_be_found_counts_as_old()
    {
        OnLinux();
        app.Resolve("-p:RealNvpSystemLibstdcxx=/there/is/none").Should().NotBe(app.CachedLibrary);
    }

    [Fact]
    public void One_old_libstdcxx_beside_a_new_one_is_enough()
    {
        OnLinux();
        app.Resolve($"{app.NewSystem}%3B{app.At("old-libstdc++.so.6")}").Should().NotBe(app.CachedLibrary);
    }

    [Fact]
    public void A_value_that_does_not_exist_is_an_error_that_lists_those_that_do()
    {
        var (exitCode, output) = app.TryDotNet("msbuild", "-t:ResolvePackageAssets", "-p:RealNvpMendLibstdcxx=perhaps");
        exitCode.Should().NotBe(0);
        output.Should().Contain("RealNvpMendLibstdcxx is 'perhaps'; it can be auto, true (or always) or false (or never).");
    }

    private static void OnLinux() => Assert.SkipUnless(OperatingSystem.IsLinux(), "only Linux has libstdc++.so.6 to look at");

    private void CacheIsUntouched() => SHA256.HashData(File.ReadAllBytes(app.CachedLibrary)).Should().Equal(app.CachedHash);

    private static bool IsMended(string library)
    {
        var needs = VersionNeeds.Read(library);
        needs.Where(n => n.Key != Asked).Should().NotBeEmpty().And.OnlyContain(n => !n.Value, "no other need may be touched");
        return needs[Asked];
    }

    /// <summary>A program that references TorchSharp alone: its one native library is small, so a build takes seconds.</summary>
    public sealed class App : IDisposable
    {
        private readonly GeneratedProject project = new();

        public App()
        {
            CachedLibrary = Path.GetFullPath(Path.Combine(Repository.PackageCache, "torchsharp", Repository.TorchSharpVersion, Nested));
            CachedHash = SHA256.HashData(File.ReadAllBytes(CachedLibrary));
            project.Write("new-libstdc++.so.6", "\u007fELF GLIBCXX_3.4.30\0GLIBCXX_3.4.31\0GLIBCXX_3.4.32\0GLIBCXX_3.4.33\0");
            project.Write("old-libstdc++.so.6", "\u007fELF GLIBCXX_3.4.29\0GLIBCXX_3.4.30\0GLIBCXX_3.4.3\0");
            project.Write("App.cs", "System.Console.WriteLine(1);");
            project.Write("App.csproj", $"""
                <Project Sdk="Microsoft.NET.Sdk">
                  <PropertyGroup>
                    <TargetFramework>net10.0</TargetFramework>
                    <OutputType>Exe</OutputType>
                    <RuntimeIdentifiers>linux-x64</RuntimeIdentifiers>
                    <UseAppHost>false</UseAppHost>
                    <NoWarn>NU1603</NoWarn>
                  </PropertyGroup>
                  <ItemGroup><PackageReference Include="TorchSharp" Version="{Repository.TorchSharpVersion}" /></ItemGroup>
                  <Import Project="{Repository.At("src", "RealNvp", "buildTransitive", "RealNvp.targets")}" />
                </Project>
                """);
            project.DotNet("restore");
        }

        public string CachedLibrary { get; }

        public byte[] CachedHash { get; }

        public string NewSystem => $"-p:RealNvpSystemLibstdcxx={At("new-libstdc++.so.6")}";

        public string OldSystem => $"-p:RealNvpSystemLibstdcxx={At("old-libstdc++.so.6")}";

        public string At(params ReadOnlySpan<string> parts) => project.At(parts);

        public string Output(string name, string file) => At("out", name, file);

        public string Build(string name, params string[] arguments) =>
            DotNet(["build", "--no-restore", "--no-self-contained", "-o", At("out", name), $"-p:IntermediateOutputPath=obj/{name}/",
                .. arguments]);

        public string DotNet(params string[] arguments) => project.DotNet(arguments);

        public (int ExitCode, string Output) TryDotNet(params string[] arguments) => project.TryDotNet(arguments);

        /// <summary>The path that a build would copy libLibTorchSharp.so from.</summary>
        public string Resolve(params string[] arguments)
        {
            var items = DotNet(["msbuild", "-t:ResolvePackageAssets", "-getItem:NativeCopyLocalItems", "-p:RuntimeIdentifier=linux-x64",
                .. arguments]);
            return LibraryPath().Match(items).Groups[1].Value.Replace("\\\\", "\\", StringComparison.Ordinal);
        }

        public void Dispose() => project.Dispose();
    }

    [GeneratedRegex("\"FullPath\": \"([^\"]*libLibTorchSharp\\.so)\"")]
    private static partial Regex LibraryPath();
}
