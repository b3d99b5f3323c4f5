using System.Numerics;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>A tensor (N, ...) that an elementwise kernel reads or writes; see <see cref="Stream{T}"/>.</summary>
internal readonly record struct ElementTensor(Tensor Tensor, long Row, int Blocks, bool Output)
{
    /// <summary>An input, of <paramref name="blocks"/> parameters an element, whose rows are contiguous.</summary>
    public static ElementTensor In(Tensor tensor, int blocks) => new(tensor, RowOf(tensor) ?? throw new InvalidOperationException("A kernel got a tensor that it cannot read."), blocks, false);

    /// <summary>An output: a new contiguous tensor.</summary>
    public static ElementTensor Out(Tensor tensor, int blocks) => new(tensor, RowOf(tensor)!.Value, blocks, true);

    /// <summary>An upstream gradient of the shape of <paramref name="like"/>. Makes a copy in the current scope where its layout needs one.</summary>
    public static ElementTensor Upstream(Tensor gradient, Tensor like)
    {
        // a sum over the elements of an example has one gradient for all of them
        var strides = gradient.stride();
        var shape = gradient.shape;
        var one = true;
        for (var d = 1; d < shape.Length; d++) one &= shape[d] == 1 || strides[d] == 0;
        if (one && gradient.dtype == like.dtype && gradient.device_type == DeviceType.CPU) return new(gradient, strides[0], 0, false);
        return RowOf(gradient) is { } row ? new(gradient, row, 1, false) : In(gradient.contiguous(), 1);
    }

    /// <summary>True where kernels can read both tensors: on the CPU, of one dtype, float32 or float64, with contiguous rows.</summary>
    public static bool CanTake(Tensor input, Tensor parameters) =>
        input.device_type == DeviceType.CPU && parameters.device_type == DeviceType.CPU && input.dtype == parameters.dtype
        && input.dtype is ScalarType.Float32 or ScalarType.Float64 && !input.is_sparse && !parameters.is_sparse
        && input.shape.AsSpan(2).SequenceEqual(parameters.shape.AsSpan(2)) && input.shape[0] == parameters.shape[0]
        && RowOf(input) is not null && RowOf(parameters) is not null;

    /// <summary>From one row to the next, in elements; null where the elements of a row do not lie together.</summary>
    private static long? RowOf(Tensor tensor)
    {
        var shape = tensor.shape;
        var strides = tensor.stride();
        long expected = 1;
        for (var d = shape.Length - 1; d > 0; d--)
        {
            if (shape[d] != 1 && strides[d] != expected) return null;
            expected *= shape[d];
        }
        return strides[0];
    }
}

/// <summary>Runs an elementwise kernel over tensors, on as many threads as the work is worth.</summary>
internal static class ElementKernels<TLanes, T, TKernel>
    where TLanes : struct, ILanes<TLanes, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
    where TKernel : struct, IElementKernel<T>
{
    /// <summary>Runs it.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="like">A tensor (N, ...) with one element for each.</param>
    /// <param name="tensors">Its streams.</param>
    /// <param name="work">What all of it costs.</param>
    /// <param name="grain">The work that is worth a thread of its own.</param>
    public static unsafe void Run(TKernel kernel, Tensor like, ElementTensor[] tensors, double work, double grain)
    {
        var count = like.shape[0];
        if (like.numel() == 0) return;
        var inner = like.numel() / count;
        var streams = new Stream<T>[tensors.Length];
        for (var i = 0; i < streams.Length; i++)
            streams[i] = new((nint)KernelMemory.Pointer<T>(tensors[i].Tensor), tensors[i].Row, tensors[i].Blocks, tensors[i].Output);
        KernelThreads.For(count, work, grain, (start, end) => ElementTiles<TLanes, T, TKernel>.Run(kernel, streams, inner, start, end));
        // they are in use until here, whatever scope they are in
        foreach (var tensor in tensors) GC.KeepAlive(tensor.Tensor);
    }
}
