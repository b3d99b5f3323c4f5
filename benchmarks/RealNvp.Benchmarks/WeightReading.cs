using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using RealNvp.Kernels;
using static TorchSharp.torch;

namespace RealNvp.Benchmarks;

/// <summary>Reads each weight once, and nothing more: no answer for one row can be quicker on one thread.</summary>
internal sealed class WeightReading
{
    private readonly (nint At, long Floats)[] weights;

    /// <param name="parameters">The weights, on the CPU, which live as long as this.</param>
    public WeightReading(IEnumerable<Tensor> parameters)
    {
        unsafe
        {
            weights = [.. parameters.Where(p => p.dtype == ScalarType.Float32).Select(p => ((nint)KernelMemory.Floats(p), p.numel()))];
        }
    }

    /// <summary>The sum of all weights, so that the loads are not left out.</summary>
    // compiled once for good: code that is replaced in the middle of its loop began each call in the slow one
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    public unsafe float Read()
    {
        Vector512<float> s0 = default, s1 = default, s2 = default, s3 = default;
        var rest = 0f;
        foreach (var (at, floats) in weights)
        {
            var p = (float*)at;
            var i = 0L;
            for (; i + 64 <= floats; i += 64)
            {
                s0 += Vector512.Load(p + i);
                s1 += Vector512.Load(p + i + 16);
                s2 += Vector512.Load(p + i + 32);
                s3 += Vector512.Load(p + i + 48);
            }
            for (; i < floats; i++) rest += p[i];
        }
        return rest + Vector512.Sum(s0 + s1 + s2 + s3);
    }
}
