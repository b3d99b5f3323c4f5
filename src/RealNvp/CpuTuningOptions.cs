namespace RealNvp;

/// <summary>What <see cref="CpuTuning.Apply"/> is to set.</summary>
public sealed record CpuTuningOptions
{
    /// <summary>
    /// The C library keeps memory that tensors have freed, rather than give it back
    /// to the system and fault it in again at the next step. Linux with glibc.
    /// </summary>
    /// <remarks>
    /// Worth up to half of the time where activations are large, as with images. The cost: the process stays as large
    /// as its largest step was. The allocator's thresholds are set for the whole process, not only for tensors.
    /// </remarks>
    public bool KeepFreedMemory { get; init; } = true;

    /// <summary>Float32 matrix products of torch go to oneDNN instead of MKL, at the
    /// accuracy of float32. Off unless asked for. Linux, libtorch 2.x.</summary>
    /// <remarks>
    /// On AMD processors MKL stays at AVX2, and oneDNN is twice as fast for matrices of 128 and more; below about 64 it is slower. On Intel
    /// processors expect nothing. oneDNN is told that it may round to bfloat16, which it does only where the processor has
    /// units for that (AMX). So a product is compared with float64 afterwards, and where it is not float32, the setting is
    /// taken back. The networks of this library for vectors have a kernel of their own and gain nothing; networks of yours may.
    /// </remarks>
    public bool OneDnnMatmul { get; init; }

    /// <summary>The name of the record and its members with their values, for all cultures alike.</summary>
    public override string ToString() => Describing.RecordText.Of(nameof(CpuTuningOptions), PrintMembers);
}
