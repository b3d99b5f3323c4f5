using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>How a tensor (N, C, ...) lies in memory: for each example and channel a
/// run of evenly spaced elements; (N, D) is one run an example.</summary>
internal readonly record struct ElementLayout(long Row, long Run, long Step)
{
    /// <summary>The layout of a tensor on the CPU; null if its elements are not evenly spaced.</summary>
    public static ElementLayout? Of(Tensor tensor)
    {
        if (tensor.device_type != DeviceType.CPU || tensor.is_sparse) return null;
        var (size, stride) = (tensor.Sizes(), tensor.Strides());
        if (size.Length == 2) return new(stride[0], 0, size[1] == 1 ? 1 : stride[1]);
        if (size.Length < 2) return null;
        long step = 0, next = 0;
        for (var d = size.Length - 1; d >= 2; d--)
        {
            if (size[d] == 1) continue;
            if (step == 0) step = stride[d];
            else if (stride[d] != next) return null;
            next = stride[d] * size[d];
        }
        return new(stride[0], stride[1], step == 0 ? 1 : step);
    }

    /// <summary>Whether kernels can read both: on the CPU, of one dtype, float32 or
    /// float64, evenly spaced, with so many parameters for each element.</summary>
    public static bool CanRun(Tensor input, Tensor parameters, int each)
    {
        if (input.dtype != parameters.dtype || input.dtype is not (ScalarType.Float32 or ScalarType.Float64)) return false;
        var (size, given) = (input.Sizes(), parameters.Sizes());
        return size.Length >= 2 && (size[0] == 0 || input.numel() > 0) && given.Length == size.Length && given[0] == size[0]
            && given[1] == each * size[1] && given.AsSpan(2).SequenceEqual(size.AsSpan(2))
            && Of(input) is not null && Of(parameters) is not null;
    }
}
