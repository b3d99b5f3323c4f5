using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Kernels;

/// <summary>The memory of tensors, for kernels.</summary>
internal static unsafe partial class KernelMemory
{
    [LibraryImport("LibTorchSharp")]
    private static partial void* THSTensor_data(IntPtr tensor);

    /// <summary>True for a tensor that a kernel may read and write as one block: on the CPU, dense, contiguous.</summary>
    public static bool IsPlain(Tensor tensor) => tensor.device_type == DeviceType.CPU && !tensor.is_sparse && tensor.is_contiguous();

    /// <summary>The first element. Keep the tensor alive while the pointer is in use.</summary>
    public static T* Pointer<T>(Tensor tensor) where T : unmanaged => (T*)THSTensor_data(tensor.Handle);
}
