using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>
/// How a tensor (N, C, H, W) or (N, D) lies in memory: runs of evenly spaced elements, one for each example and channel, or for each example
/// of vectors.
/// </summary>
internal readonly record struct AffineLayout(long Batch, long Channel, long Step)
{
    /// <summary>The layout of a float32 tensor on the CPU; null where its elements are not evenly spaced.</summary>
    public static AffineLayout? Of(Tensor t)
    {
        if (t.dtype != ScalarType.Float32 || t.device_type != DeviceType.CPU || t.is_sparse) return null;
        var s = t.stride();
        if (s.Length == 2) return new(s[0], 0, s[1]);
        if (s.Length != 4) return null;
        var size = t.shape;
        if (size[3] == 1) return new(s[0], s[1], s[2]);
        return size[2] == 1 || s[2] == size[3] * s[3] ? new AffineLayout(s[0], s[1], s[3]) : null;
    }

    /// <summary>Copies a part of a run to a block.</summary>
    public static unsafe void Load(float* from, long step, float* to, int count)
    {
        if (step == 1) Buffer.MemoryCopy(from, to, count * sizeof(float), count * sizeof(float));
        else
            for (var i = 0; i < count; i++, from += step) to[i] = *from;
    }

    /// <summary>Copies a block to a part of a run.</summary>
    public static unsafe void Store(float* from, float* to, long step, int count)
    {
        if (step == 1) Buffer.MemoryCopy(from, to, count * sizeof(float), count * sizeof(float));
        else
            for (var i = 0; i < count; i++, to += step) *to = from[i];
    }
}
