using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>The native calls behind <see cref="CpuTuning"/>.</summary>
internal static partial class NativeTuning
{
    private const int TrimThreshold = -1, TopPad = -2, MmapThreshold = -3;
    private const int MkldnnBackend = 2, MatmulOperation = 3, Ieee = 1, Bfloat16Allowed = 3;

    // float32 sums of 512 products of normals are off by about 2e-5 of √512, and bfloat16 ones by 1e-2
    private const double Float32Error = 1e-4;

    /// <summary>Raises glibc's thresholds above which freed memory goes back to the system.</summary>
    public static CpuSetting KeepFreedMemory()
    {
        if (!OperatingSystem.IsLinux()) return CpuSetting.Off("It is for Linux with glibc.");
        try
        {
            // 1 is success. The largest mmap threshold that glibc takes is half of a heap: 32 MiB
            var done = mallopt(MmapThreshold, 1 << 30) == 1 || mallopt(MmapThreshold, 32 << 20) == 1;
            done &= mallopt(TrimThreshold, int.MaxValue) == 1;
            done &= mallopt(TopPad, 64 << 20) == 1;
            return done ? CpuSetting.On : CpuSetting.Off("The C library refused the thresholds.");
        }
        catch (EntryPointNotFoundException) { return CpuSetting.Off("This system's C library has no mallopt: it is not glibc."); }
    }

    /// <summary>Sends float32 products to oneDNN where that keeps the accuracy of float32, or back to MKL.</summary>
    public static CpuSetting UseOneDnnMatmul(bool on)
    {
        if (!OperatingSystem.IsLinux()) return CpuSetting.Off(on ? "It is for Linux." : CpuSetting.NotAsked.Reason);
        TorchBackend.EnsureAvailable();
        try
        {
            if (!on)
            {
                if (onednn) SetFloat32Precision(GlobalContext(), MkldnnBackend, MatmulOperation, Ieee);
                onednn = false;
                return CpuSetting.NotAsked;
            }
            SetFloat32Precision(GlobalContext(), MkldnnBackend, MatmulOperation, Bfloat16Allowed);
            var error = MatmulError();
            onednn = error <= Float32Error;
            if (onednn) return CpuSetting.On;
            SetFloat32Precision(GlobalContext(), MkldnnBackend, MatmulOperation, Ieee);
            return CpuSetting.Off(FormattableString.Invariant(
                $"oneDNN rounds to bfloat16 on this processor (error {error:G2}), so the setting was taken back."));
        }
        catch (EntryPointNotFoundException) { return CpuSetting.Off("This libtorch has no such setting."); }
    }

    private static bool onednn;

    /// <summary>The largest error of a float32 product against float64, relative to the root mean square of the product.</summary>
    internal static double MatmulError()
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        using var generator = RandomSource.New(0);
        var a = Noise.Normal([128, 512], ScalarType.Float32, CPU, generator);
        var b = Noise.Normal([512, 128], ScalarType.Float32, CPU, generator);
        var exact = a.to(float64).mm(b.to(float64));
        return a.mm(b).to(float64).sub(exact).abs().max().Fetch<double>() / exact.pow(Scalars.Two).mean().sqrt().Fetch<double>();
    }

    [LibraryImport("libc")]
    private static partial int mallopt(int parameter, int value);

    [LibraryImport("torch_cpu", EntryPoint = "_ZN2at13globalContextEv")]
    private static partial IntPtr GlobalContext();

    [LibraryImport("torch_cpu",
        EntryPoint = "_ZN2at7Context19setFloat32PrecisionENS_14Float32BackendENS_9Float32OpENS_16Float32PrecisionE")]
    private static partial void SetFloat32Precision(IntPtr context, int backend, int operation, int precision);
}
