using RealNvp.Internal;

namespace RealNvp;

/// <summary>Settings of the native libraries that make work on the CPU faster,
/// for the whole process. Nothing of it happens by itself.</summary>
/// <remarks>
/// <para>A program that owns its process calls <see cref="Apply"/> first of all: <c>CpuTuning.Apply();</c>.
/// A library should leave the choice to the program. On a GPU it changes next to nothing.</para>
/// <para>What each setting does and costs is said at <see cref="CpuTuningOptions"/>;
/// what each is worth stands in docs/performance-method.md.</para>
/// </remarks>
public static class CpuTuning
{
    /// <summary>Applies the settings to this process, and says which took effect.</summary>
    /// <param name="options">What to set; null for all that keeps the accuracy of float32.</param>
    /// <returns>For each setting whether it holds now, and if not, why. It never throws for a system that lacks a setting.</returns>
    /// <remarks>Call it once, before the first tensor; a call on one thread at a time. A second
    /// call can set more, and take back <see cref="CpuTuningOptions.OneDnnMatmul"/>.</remarks>
    public static CpuTuningReport Apply(CpuTuningOptions? options = null)
    {
        options ??= new();
        var memory = options.KeepFreedMemory ? NativeTuning.KeepFreedMemory() : CpuSetting.NotAsked;
        var matmul = NativeTuning.UseOneDnnMatmul(options.OneDnnMatmul);
        return new() { KeepFreedMemory = memory, OneDnnMatmul = matmul };
    }
}
