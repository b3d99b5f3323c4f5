using System.Runtime.InteropServices;
using RealNvp.Tests.Infrastructure;

namespace RealNvp.Tests;

public sealed class TorchBackendTests
{
    [Fact]
    public void A_backend_that_is_there_is_found_again_and_again()
    {
        TorchBackend.EnsureAvailable();
        Parallel.For(0, 8, _ => TorchBackend.EnsureAvailable());
    }

    [Fact]
    public void An_application_without_a_backend_is_told_which_packages_to_choose_from()
    {
        using var project = new GeneratedProject();
        project.Write("App.cs", """
            Try(RealNvp.TorchBackend.EnsureAvailable);
            Try(() => new RealNvp.StandardNormal([2]));
            Try(() => new RealNvp.AffineTransformer([2]));
            Try(() => new RealNvp.RealNvpModel(RealNvp.RealNvpOptions.Toy2D));
            Try(RealNvp.TorchBackend.EnsureAvailable);

            static void Try(Action action)
            {
                try { action(); Console.WriteLine("loaded"); }
                catch (Exception e) { Console.WriteLine($"[{e.GetType().Name}] {e.Message}"); }
            }
            """);
        project.Write("App.csproj", $"""
            <Project Sdk="Microsoft.NET.Sdk">
              <PropertyGroup>
                <TargetFramework>net10.0</TargetFramework>
                <OutputType>Exe</OutputType>
                <ImplicitUsings>enable</ImplicitUsings>
                <NoWarn>NU1603</NoWarn>
              </PropertyGroup>
              <ItemGroup>
                <PackageReference Include="TorchSharp" Version="{Repository.TorchSharpVersion}" />
                <Reference Include="{typeof(TorchBackend).Assembly.Location}" />
              </ItemGroup>
            </Project>
            """);
        project.DotNet("build", "-o", "out");

        var (exitCode, output) = project.TryDotNet("out/App.dll");
        exitCode.Should().Be(0);
        var messages = output.Split("[DllNotFoundException] ", StringSplitOptions.RemoveEmptyEntries);
        messages.Should().HaveCount(5, "the error comes at every first use, and nothing else is printed:\n{0}", output);
        messages.Should().AllSatisfy(message => message.Should()
            .StartWith("No native libtorch was found")
            .And.Contain($"<PackageReference Include=\"TorchSharp-cpu\" Version=\"{Repository.TorchSharpVersion}\" />")
            .And.Contain("TorchSharp-cuda-windows").And.Contain("TorchSharp-cuda-linux"));
    }

    [Fact]
    public void The_part_for_a_GPU_is_tried_before_all_others_and_beside_the_application_only()
    {
        var tried = new List<(string, DllImportSearchPath?)>();
        TorchBackend.LoadParts((name, path) =>
        {
            tried.Add((name, path));
            return false;
        });
        tried.Should().Equal(("torch_cuda", DllImportSearchPath.AssemblyDirectory), ("torch_cpu", null));
    }

    [Fact]
    public void In_a_notebook_with_the_package_for_a_GPU_that_one_is_taken()
    {
        var tried = new List<TorchSharp.DeviceType>();
        bool Initialize(TorchSharp.DeviceType device, bool cpu, bool cuda)
        {
            tried.Add(device);
            return (device == TorchSharp.DeviceType.CUDA ? cuda : cpu) ? false
                : throw new NotSupportedException("The package is not restored.");
        }
        TorchBackend.LoadByTorchSharp(d => Initialize(d, cpu: false, cuda: true)).Should()
            .BeTrue("a package for a GPU that is not there has the CPU too");
        tried.Should().Equal(TorchSharp.DeviceType.CPU, TorchSharp.DeviceType.CUDA);
        TorchBackend.LoadByTorchSharp(d => Initialize(d, cpu: true, cuda: true)).Should().BeTrue();
        TorchBackend.LoadByTorchSharp(d => Initialize(d, cpu: false, cuda: false)).Should().BeFalse();
    }

    [Theory]
    [InlineData("libstdc++.so.6: version `GLIBCXX_3.4.32' not found (required by libLibTorchSharp.so)", "linux-x64", Architecture.X64,
        "RealNvpMendLibstdcxx=true")]
    [InlineData("libstdc++.so.6: version `GLIBCXX_3.4.30' not found (required by libLibTorchSharp.so)", "linux-x64", Architecture.X64,
        "older than GCC 12's")]
    [InlineData("libc.so.6: version `GLIBC_2.34' not found", "linux-x64", Architecture.X64, "glibc 2.34")]
    [InlineData("Error loading shared library", "linux-musl-x64", Architecture.X64, "Alpine")]
    [InlineData("cannot open shared object file", "plan9-mips", (Architecture)(-1), "no native libtorch for this platform (plan9-mips")]
    public void What_the_loader_says_leads_to_what_can_be_done(string loaderMessage, string runtimeIdentifier, Architecture architecture,
        string advice) =>
        TorchBackend.Explain(loaderMessage, runtimeIdentifier, architecture).Should().Contain(advice);
}
