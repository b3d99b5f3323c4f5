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
    public void A_program_whose_modules_have_no_weights_is_told_how_to_publish()
    {
        TorchBackend.RequireWeights(1);
        FluentActions.Invoking(() => TorchBackend.RequireWeights(0)).Should().Throw<PlatformNotSupportedException>()
            .WithMessage("*PublishAot*PublishTrimmed*");
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
            Try(() => RealNvp.FlowModel.Fit(new double[30, 2]));
            Try(() => RealNvp.FlowModel.Load("model.safetensors"));
            Try(() => RealNvp.Trainer.Resume("model.safetensors"));
            Try(RealNvp.TorchBackend.EnsureAvailable);

            static void Try(Action action)
            {
                try { action(); Console.WriteLine("loaded"); }
                catch (Exception e) { Console.WriteLine($"[{e.GetType().Name}] {e.Message}"); }
            }
            """);
        SaveModel(project);
        project.Write("App.csproj", Application);
        project.DotNet("build", "-o", "out");

        RefusedByEach().Should().AllSatisfy(message => message.Should()
            .StartWith("No native libtorch was found")
            .And.Contain($"<PackageReference Include=\"TorchSharp-cpu\" Version=\"{Repository.TorchSharpVersion}\" />")
            .And.Contain("TorchSharp-cuda-windows").And.Contain("TorchSharp-cuda-linux"));
        if (!OperatingSystem.IsLinux()) return;

        // the same where the system has one of another version
        using var other = new OtherLibtorch();
        project.Variables["LD_LIBRARY_PATH"] = other.Project.Folder;
        RefusedByEach().Should().AllSatisfy(message => message.Should().StartWith("No native libtorch was found")
            .And.Contain($"libtorch of its own, {other.Project.At("libtorch_cpu.so")}."));

        string[] RefusedByEach()
        {
            var (exitCode, output) = project.TryDotNet("out/App.dll");
            exitCode.Should().Be(0, output);
            var messages = output.Split("[DllNotFoundException] ", StringSplitOptions.RemoveEmptyEntries);
            messages.Should().HaveCount(8, "the error comes at every first use, and nothing else is printed:\n{0}", output);
            return messages;
        }
    }

    // TorchSharp's own loader prints a long trace, and in a notebook or a script it copies half a gigabyte: ours must come first
    [SlowFact]
    public void No_way_into_the_library_meets_TorchSharps_own_loader_first()
    {
        using var project = new GeneratedProject();
        project.Write("App.cs", """
            using System.Reflection;
            using RealNvp;

            var library = typeof(Flow).Assembly;
            var ours = 0;
            foreach (var type in library.GetExportedTypes().Where(t => !t.ContainsGenericParameters).OrderBy(t => t.FullName, StringComparer.Ordinal))
            {
                var ways = type.GetMethods(BindingFlags.Public | BindingFlags.Static | BindingFlags.DeclaredOnly).Where(m => !m.ContainsGenericParameters && !m.ReturnType.IsByRefLike).Cast<MethodBase>()
                    .Concat(type.IsAbstract ? [] : type.GetConstructors()).Where(w => !w.GetParameters().Any(p => p.ParameterType.IsByRefLike || p.ParameterType.IsByRef));
                foreach (var way in ways) Call(type, way);
            }
            foreach (var options in library.GetExportedTypes().Where(t => t.IsSubclassOf(typeof(ModelOptions)) && !t.IsAbstract))
                if (options.GetProperty("Toy2D", BindingFlags.Public | BindingFlags.Static)?.GetValue(null) is ModelOptions preset) Call(options, options.GetMethod("NewModel")!, preset);
            Console.WriteLine($"ours: {ours}");

            void Call(Type type, MethodBase way, object? target = null)
            {
                Exception? fault = null;
                try
                {
                    object?[] arguments = [.. way.GetParameters().Select(p => Argument(p.ParameterType))];
                    _ = way is ConstructorInfo made ? made.Invoke(arguments) : way.Invoke(target, arguments);
                }
                catch (TargetInvocationException e) { fault = e.InnerException; }
                for (var e = fault; e is not null; e = e.InnerException)
                {
                    if (e is TypeInitializationException) { Console.WriteLine($"TORCHSHARP {type.Name}.{way}"); return; }
                    if (e.Message.StartsWith("No native libtorch", StringComparison.Ordinal)) { ours++; return; }
                }
            }

            // what lets a call come as far as its first tensor
            object? Argument(Type type) =>
                type == typeof(EventShape) ? (EventShape)new long[] { 2 }
                : type == typeof(string) ? "model.safetensors"
                : type == typeof(Stream) ? new MemoryStream(File.ReadAllBytes("model.safetensors"))
                : type == typeof(ModelOptions) || type == typeof(RealNvpOptions) ? RealNvpOptions.Toy2D
                : type == typeof(Mask) ? Mask.Alternating(2)
                : type == typeof(long) || type == typeof(int) ? Convert.ChangeType(2, type)
                : type == typeof(double) ? 0.5
                : type == typeof(long[]) ? new long[] { 2 }
                : type == typeof(Func<Bijection>) ? () => new DiagonalScaling([2])
                : type.IsValueType ? Activator.CreateInstance(type) : null;
            """);
        SaveModel(project);
        project.Write("App.csproj", Application);
        project.DotNet("build", "-o", "out");

        var (exitCode, output) = project.TryDotNet("out/App.dll");
        exitCode.Should().Be(0, output);
        output.Split('\n').Where(line => line.StartsWith("TORCHSHARP", StringComparison.Ordinal)).Should().BeEmpty();
        output.Should().MatchRegex("^ours: [0-9]{2,}", "many ways come as far as a tensor");
    }

    private static void SaveModel(GeneratedProject project)
    {
        using var model = new RealNvpModel(RealNvpOptions.Toy2D with { Hidden = 4 }, seed: 0);
        model.Save(project.At("model.safetensors"));
    }

    private static string Application => $"""
        <Project Sdk="Microsoft.NET.Sdk">
          <PropertyGroup>
            <TargetFramework>net10.0</TargetFramework>
            <OutputType>Exe</OutputType>
            <ImplicitUsings>enable</ImplicitUsings>
            <Nullable>enable</Nullable>
            <NoWarn>NU1603</NoWarn>
          </PropertyGroup>
          <ItemGroup>
            <PackageReference Include="TorchSharp" Version="{Repository.TorchSharpVersion}" />
            <Reference Include="{typeof(TorchBackend).Assembly.Location}" />
          </ItemGroup>
        </Project>
        """;

    [Fact]
    public void Each_part_is_loaded_after_those_that_it_needs_and_the_part_for_a_GPU_too()
    {
        var tried = new List<string>();
        bool Load(string name, bool there)
        {
            tried.Add(name);
            return there;
        }
        TorchBackend.LoadParts(name => Load(name, there: false)).Should().BeFalse();
        tried.Should().Equal("c10", "torch_cpu", "c10_cuda", "torch_cuda", "torch");
        TorchBackend.LoadParts(name => Load(name, there: !name.Contains("cuda", StringComparison.Ordinal))).Should().BeTrue();
    }

    [Fact]
    public void A_libtorch_of_the_system_does_not_come_in_place_of_the_packages()
    {
        if (!OperatingSystem.IsLinux()) Assert.Skip("The dynamic linker of Linux looks into LD_LIBRARY_PATH first.");
        using var other = new OtherLibtorch();
        // this program itself, which has its libtorch beside it; by dotnet, if it was started so
        string host = Environment.ProcessPath!, test = $"*{nameof(A_backend_that_is_there_is_found_again_and_again)}";
        string[] program = Path.GetFileNameWithoutExtension(host) == "dotnet" ? [typeof(TorchBackendTests).Assembly.Location] : [];
        var (exitCode, output) = other.Project.Run(host, [.. program, "-noColor", "-method", test]);
        output.Should().Contain("Failed: 0").And.Contain("Total: 1");
        exitCode.Should().Be(0, output);
    }

    /// <summary>Libraries with the names of libtorch's and nothing in them
    /// that TorchSharp needs, as those of another version are.</summary>
    private sealed class OtherLibtorch : IDisposable
    {
        public OtherLibtorch()
        {
            var any = Directory.GetFiles(Path.GetDirectoryName(typeof(object).Assembly.Location)!, "libSystem.Native.so").Single();
            foreach (var name in new[] { "c10", "torch_cpu", "torch" }) File.Copy(any, Project.At($"lib{name}.so"));
            Project.Variables["LD_LIBRARY_PATH"] = Project.Folder;
        }

        public GeneratedProject Project { get; } = new();

        public void Dispose() => Project.Dispose();
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
