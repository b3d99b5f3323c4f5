using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace RealNvp.Kernels;

/// <summary>Gradients and memory of tensors by their native handles, without a managed object for each.</summary>
/// <remarks>
/// TorchSharp's <c>Tensor.grad</c> and <c>Tensor.bytes</c> cost up to a microsecond each, these calls a few nanoseconds. Those that only
/// read a field skip the switch of the collector's mode. The caller keeps the tensors of the handles alive.
/// </remarks>
internal static unsafe partial class KernelGradients
{
    /// <summary>A new handle of the gradient, or 0 where there is none; give it to <see cref="Release"/>.</summary>
    public static IntPtr Take(IntPtr tensor) => THSTensor_grad(tensor);

    /// <summary>Gives a handle back that <see cref="Take"/> gave; the gradient itself stays.</summary>
    public static void Release(IntPtr gradient) => THSTensor_dispose(gradient);

    /// <summary>Removes the gradient of a tensor.</summary>
    public static void Clear(IntPtr tensor) => THSTensor_set_grad(tensor, 0);

    /// <summary>
    /// The memory of a tensor, if it is what was expected: strided and contiguous on the CPU, of this dtype and this number of elements.
    /// </summary>
    /// <remarks>A tensor of another layout has no contiguity, so that the first question also refuses sparse ones.</remarks>
    public static bool TryGetMemory(IntPtr tensor, ScalarType type, long count, out void* memory)
    {
        var plain = THSTensor_is_contiguous(tensor) != 0 && THSTensor_numel(tensor) == count
            && THSTensor_type(tensor) == (sbyte)type && THSTensor_device_type(tensor) == (int)TorchSharp.DeviceType.CPU;
        memory = plain ? THSTensor_data(tensor) : null;
        return plain;
    }

    [LibraryImport("LibTorchSharp")]
    private static partial IntPtr THSTensor_grad(IntPtr tensor);

    [LibraryImport("LibTorchSharp")]
    private static partial void THSTensor_set_grad(IntPtr tensor, IntPtr gradient);

    [LibraryImport("LibTorchSharp")]
    private static partial void THSTensor_dispose(IntPtr tensor);

    [LibraryImport("LibTorchSharp"), SuppressGCTransition]
    private static partial void* THSTensor_data(IntPtr tensor);

    [LibraryImport("LibTorchSharp"), SuppressGCTransition]
    private static partial byte THSTensor_is_contiguous(IntPtr tensor);

    [LibraryImport("LibTorchSharp"), SuppressGCTransition]
    private static partial long THSTensor_numel(IntPtr tensor);

    [LibraryImport("LibTorchSharp"), SuppressGCTransition]
    private static partial sbyte THSTensor_type(IntPtr tensor);

    [LibraryImport("LibTorchSharp"), SuppressGCTransition]
    private static partial int THSTensor_device_type(IntPtr tensor);
}
