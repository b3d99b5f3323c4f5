namespace RealNvp;

/// <summary>What <see cref="CpuTuning.Apply"/> has set.</summary>
/// <param name="KeepFreedMemory">Whether freed memory stays with the process.</param>
/// <param name="OneDnnMatmul">Whether float32 products go to oneDNN.</param>
public sealed record CpuTuningReport(CpuSetting KeepFreedMemory, CpuSetting OneDnnMatmul);
