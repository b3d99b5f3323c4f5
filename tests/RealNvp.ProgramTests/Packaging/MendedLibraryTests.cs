using RealNvp.Internal;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests.Packaging;

/// <summary>TorchSharp's library where no build has run: a notebook, a script.</summary>
public class MendedLibraryTests
{
    private const string Version = "GLIBCXX_3.4.32";

    private static string Source => Path.Combine(Repository.PackageCache, "torchsharp", Repository.TorchSharpVersion, "runtimes",
        "linux-x64", "native", "libLibTorchSharp.so");

    [Fact]
    public void The_copy_differs_in_one_flag_and_is_written_once()
    {
        using var folder = new TemporaryFolder();
        VersionNeeds.Read(Source)[Version].Should().BeFalse("else there is nothing to mend any more");
        var copy = MendedLibrary.Copy(Source, folder.At("native"));
        VersionNeeds.Read(copy)[Version].Should().BeTrue();
        var (before, after) = (File.ReadAllBytes(Source), File.ReadAllBytes(copy));
        before.Zip(after).Count(b => b.First != b.Second).Should().Be(1);

        var written = File.GetLastWriteTimeUtc(copy);
        MendedLibrary.Copy(Source, folder.At("native")).Should().Be(copy);
        File.GetLastWriteTimeUtc(copy).Should().Be(written);
        // one that was cut off is written again
        File.WriteAllBytes(copy, after[..1000]);
        MendedLibrary.Copy(Source, folder.At("native"));
        File.ReadAllBytes(copy).AsSpan().SequenceEqual(after).Should().BeTrue();
        Directory.GetFiles(folder.At("native")).Should().ContainSingle();
    }

    [Fact]
    public void A_damaged_library_is_refused()
    {
        var whole = File.ReadAllBytes(Source);
        foreach (var length in new[] { 0, 63, 64, 1000, whole.Length / 2 })
            FluentActions.Invoking(() => MendedLibrary.Weaken(whole[..length], Version)).Should()
                .Throw<InvalidDataException>(length.ToString(System.Globalization.CultureInfo.InvariantCulture));
        FluentActions.Invoking(() => MendedLibrary.Weaken([.. "MZ"u8, .. new byte[100]], Version)).Should().Throw<InvalidDataException>()
            .WithMessage("*ELF*");
        MendedLibrary.TryLoad("/nowhere/torchsharp/1.0.0/lib/net8.0/TorchSharp.dll",
            _ => throw new InvalidOperationException("nothing was to be loaded")).Should().BeFalse();
    }

    [SlowFact]
    public void A_program_that_runs_from_the_package_cache_finds_its_libraries_as_a_notebook_does()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the library is mended on Linux");
        using var project = new GeneratedProject();
        // as the kernel of a notebook: assemblies from the cache by path, native libraries by a resolver
        project.Write("App.cs", """
            using System.Reflection;
            using System.Runtime.InteropServices;
            using System.Runtime.Loader;
            var (cache, version, library) = (args[0], args[1], args[2]);
            var natives = new[] { $"{cache}torchsharp/{version}", $"{cache}libtorch-cpu-linux-x64" }.Where(Directory.Exists).SelectMany(f => Directory.GetFiles(f, "*.so*", SearchOption.AllDirectories)).Where(f => f.Contains("linux-x64")).ToArray();
            AssemblyLoadContext.Default.Resolving += (context, name) => Directory.GetFiles(cache, name.Name + ".dll", SearchOption.AllDirectories).Where(f => f.Contains("/lib/net")).Select(context.LoadFromAssemblyPath).FirstOrDefault();
            AssemblyLoadContext.Default.ResolvingUnmanagedDll += (_, name) => natives.Where(f => Path.GetFileName(f) == $"lib{name}.so" || Path.GetFileName(f) == name).Select(f => NativeLibrary.TryLoad(f, out var handle) ? handle : 0).FirstOrDefault(h => h != 0);
            AssemblyLoadContext.Default.LoadFromAssemblyPath($"{cache}torchsharp/{version}/lib/net8.0/TorchSharp.dll");
            var flows = AssemblyLoadContext.Default.LoadFromAssemblyPath(library);
            flows.GetType("RealNvp.TorchBackend")!.GetMethod("EnsureAvailable")!.Invoke(null, null);
            var torch = Type.GetType("TorchSharp.torch, TorchSharp", throwOnError: true)!;
            Console.WriteLine("threads " + torch.GetMethod("get_num_threads")!.Invoke(null, null));
            Console.WriteLine("loaded " + File.Exists(Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData), "RealNvp", "native", version, "libLibTorchSharp.so")));
            """);
        project.Write("App.csproj", """
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup><TargetFramework>net10.0</TargetFramework><OutputType>Exe</OutputType><ImplicitUsings>enable</ImplicitUsings></PropertyGroup>
            </Project>
            """);
        project.DotNet("build", "-o", "out");
        project.DotNet("out/App.dll", Repository.PackageCache, Repository.TorchSharpVersion, typeof(TorchBackend).Assembly.Location)
            .Should().Contain("threads ").And.Contain("loaded");
        Directory.Exists(Path.Combine(Repository.PackageCache, "torchsharp", Repository.TorchSharpVersion, "lib", "net8.0", "cpu")).Should()
            .BeFalse("half a gigabyte of copies would lie in the package cache");
    }
}
