using System.Runtime.InteropServices;
using RealNvp.Internal;
using TorchSharp;

namespace RealNvp;

/// <summary>The native libtorch that TorchSharp runs on. The application brings it, as a package of its choice.</summary>
public static class TorchBackend
{
    private static readonly Lock Gate = new();
    private static volatile bool available;

    /// <summary>Makes sure that libtorch can be used, or says what is missing and what to do.</summary>
    /// <remarks>
    /// Models and layers call this before they make their first tensor; an application may call it at start-up, to fail
    /// there and not at its first request. Thread safe. Once it has succeeded a call costs a field read.
    /// </remarks>
    /// <exception cref="DllNotFoundException">
    /// No native libtorch package is referenced, this platform has none, or the system's C++ library is too old for it.
    /// </exception>
    /// <exception cref="PlatformNotSupportedException">The program was compiled
    /// to native code, where TorchSharp finds no weights.</exception>
    public static void EnsureAvailable()
    {
        if (available) return;
        lock (Gate)
        {
            if (available) return;
            Load();
            using (var probe = new Probe()) RequireWeights(probe.parameters().Count());
            available = true;
        }
    }

    /// <summary>Refuses a program in which modules have no weights. TorchSharp finds them by reflection over fields,
    /// of which a native compiler keeps nothing: models would score and sample at random, and say nothing.</summary>
    internal static void RequireWeights(int found)
    {
        if (found == 0)
            throw new PlatformNotSupportedException(
                "This program was compiled to native code, or trimmed so far that TorchSharp, which finds the weights of a model by " +
                "reflection, finds none. Publish without PublishAot, and without PublishTrimmed.");
    }

    // one weight in a field, as all modules have them
    private sealed class Probe : torch.nn.Module
    {
        private readonly TorchSharp.Modules.Parameter weight = new(torch.zeros(1), requires_grad: false);

        public Probe() : base(nameof(Probe)) => RegisterComponents();
    }

    /// <summary>Passes a name on once libtorch is there: for <c>base(...)</c>,
    /// since a module's base constructor already needs it.</summary>
    /// <exception cref="InvalidOperationException">torch's default dtype, in which weights are made, has too few digits.</exception>
    internal static string Checked(string name)
    {
        EnsureAvailable();
        if (torch.get_default_dtype() is var dtype && !IsPrecise(dtype))
            throw new InvalidOperationException(
                $"{name} computes in float32 or float64; torch's default dtype is {dtype}, which has too few digits for " +
                $"log-determinants. Call torch.set_default_dtype(torch.float32). Networks alone can compute in bfloat16: " +
                $"{nameof(Flow)}.{nameof(Flow.ConditionerDtype)}.");
        return name;
    }

    /// <summary>Whether log-determinants and inverses can be computed in a dtype.</summary>
    internal static bool IsPrecise(torch.ScalarType dtype) => dtype is torch.ScalarType.Float32 or torch.ScalarType.Float64;

    // The library is loaded here, by the names that TorchSharp uses and before any of its code runs: its own loader
    // would print a long trace to the console, copy half a gigabyte beside the application where the package cache
    // happens to hold a libtorch, take a libtorch of the system's, which is of another version, and leave a type
    // initializer that stays broken for the rest of the process.
    private static void Load()
    {
        var torchSharp = typeof(torch).Assembly;
        bool TryLoad(string name) => NativeLibrary.TryLoad(name, torchSharp, DllImportSearchPath.AssemblyDirectory, out _);
        var found = LoadParts(TryLoad);
        try
        {
            NativeLibrary.Load("LibTorchSharp", torchSharp, null);
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException)
        {
            // A notebook or an F# script runs TorchSharp.dll from the package cache, where every package keeps its
            // natives in a folder of its own. No build has mended the library there. TorchSharp's
            // loader gathers them, by half a gigabyte of copies, so it gets its turn last.
            var fromCache = RunsFromPackageCache(torchSharp.Location);
            if (fromCache && MendedLibrary.TryLoad(torchSharp.Location, TryLoad)) return;
            if (fromCache && LoadByTorchSharp(device => torch.TryInitializeDeviceType(device))) return;
            throw new DllNotFoundException(Explain(e.Message, RuntimeInformation.RuntimeIdentifier, RuntimeInformation.ProcessArchitecture,
                found ? null : SystemLibtorch.Find()), e);
        }
    }

    private static bool RunsFromPackageCache(string assembly) =>
        assembly.Replace('\\', '/').Contains("/torchsharp/", StringComparison.OrdinalIgnoreCase)
        && assembly.Replace('\\', '/').Contains("/lib/net", StringComparison.OrdinalIgnoreCase);

    /// <summary>Loads the libraries of libtorch's own, in the order in which
    /// they need each other; whether the part for the CPU is there.</summary>
    /// <param name="tryLoad">Loads a library by its name from beside the application, or from the packages of a notebook, and from nowhere
    /// else: one that the system has, such as Debian's own libtorch, is of another version. What is loaded so is found by its
    /// name by all that need it, whatever <c>LD_LIBRARY_PATH</c> says.</param>
    /// <remarks>
    /// LibTorchSharp itself asks for the part of the CPU alone. Autograd settles at its first backward for which devices it runs
    /// threads, so the part for the GPU must be there before; it brings all others. Without its package nothing is found, and nothing is
    /// lost. A libtorch that the application loaded itself, by its path, stays the one that is used.
    /// </remarks>
    internal static bool LoadParts(Func<string, bool> tryLoad)
    {
        tryLoad("c10");
        var found = tryLoad("torch_cpu");
        tryLoad("c10_cuda");
        tryLoad("torch_cuda");
        tryLoad("torch");
        return found;
    }

    /// <summary>Lets TorchSharp gather the natives of the package for the CPU, or else for
    /// a GPU. That there is no GPU is no fault: the package also has the CPU.</summary>
    internal static bool LoadByTorchSharp(Func<DeviceType, bool> initialize)
    {
        foreach (var device in new[] { DeviceType.CPU, DeviceType.CUDA })
        {
            try
            {
                initialize(device);
                return true;
            }
            catch (Exception e) when (e is TypeInitializationException or NotSupportedException or DllNotFoundException) { }
        }
        return false;
    }

    /// <summary>What to do about a libtorch that did not load, told from the loader's message.</summary>
    /// <param name="loaderMessage">The message.</param>
    /// <param name="runtimeIdentifier">The system.</param>
    /// <param name="architecture">That of the process.</param>
    /// <param name="other">The path of a libtorch of the system's that came in place of the package's, which is not there; or null.</param>
    internal static string Explain(string loaderMessage, string runtimeIdentifier, Architecture architecture, string? other = null)
    {
        // what the loader says is then of a library that TorchSharp was not built for
        if (other is not null)
            return $"""
                {ChooseBackend()}
                The system has a libtorch of its own, {other}. TorchSharp {TorchSharpVersion} does not run on it: it needs the version that its packages bring.
                """;

        if (loaderMessage.Contains("GLIBCXX_3.4.32", StringComparison.Ordinal))
            return """
                libtorch is here, but TorchSharp's native library does not load: this system's libstdc++ is older than the one it was built with (GCC 13).
                The RealNvp package mends that at build time, so this application was built without the package's targets, on a newer system, or with RealNvpMendLibstdcxx=false. Do one of these:
                  - build or publish with -p:RealNvpMendLibstdcxx=true;
                  - run on a newer system, such as Ubuntu 24.04, Debian 13 or RHEL 10.
                """;

        if (loaderMessage.Contains("GLIBCXX_", StringComparison.Ordinal))
            return $"libtorch does not run on this system ({runtimeIdentifier}): its libstdc++ is older than GCC 12's, which Ubuntu " +
                $"22.04, Debian 12 and RHEL 10 have.";

        if (loaderMessage.Contains("GLIBC_", StringComparison.Ordinal) || runtimeIdentifier.Contains("musl", StringComparison.Ordinal))
            return $"libtorch does not run on this system ({runtimeIdentifier}): it needs glibc 2.34 or later, which Ubuntu 22.04 and " +
                $"Debian 12 have, and Alpine has not.";

        var supported = OperatingSystem.IsMacOS() ? architecture == Architecture.Arm64 : architecture == Architecture.X64;
        if (!supported)
            return $"TorchSharp has no native libtorch for this platform ({runtimeIdentifier}, process {architecture}): it runs on " +
                $"Windows and Linux on x64, and on macOS on Apple silicon.";

        return ChooseBackend();
    }

    private static string TorchSharpVersion => typeof(torch).Assembly.GetName().Version!.ToString(3);

    private static string ChooseBackend() => $"""
        No native libtorch was found: RealNvp runs on TorchSharp, and the application chooses its backend. Add one of these packages to the application's project:
          <PackageReference Include="TorchSharp-cpu" Version="{TorchSharpVersion}" />            any system, on the CPU
          <PackageReference Include="TorchSharp-cuda-windows" Version="{TorchSharpVersion}" />   Windows with an NVIDIA GPU (driver 525 or later)
          <PackageReference Include="TorchSharp-cuda-linux" Version="{TorchSharpVersion}" />     Linux with an NVIDIA GPU (driver 525 or later)
        A <RuntimeIdentifier> such as linux-x64 in the project keeps the output to one system's libraries: those for a GPU are gigabytes.
        """;
}
