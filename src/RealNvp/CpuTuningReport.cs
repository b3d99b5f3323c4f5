namespace RealNvp;

/// <summary>What <see cref="CpuTuning.Apply"/> has set.</summary>
public sealed record CpuTuningReport
{
    /// <summary>Whether freed memory stays with the process.</summary>
    public required CpuSetting KeepFreedMemory { get; init; }

    /// <summary>Whether float32 products go to oneDNN.</summary>
    public required CpuSetting OneDnnMatmul { get; init; }

    /// <summary>The name of the record and its members with their values, for all cultures alike.</summary>
    public override string ToString() => Describing.RecordText.Of(nameof(CpuTuningReport), PrintMembers);
}
