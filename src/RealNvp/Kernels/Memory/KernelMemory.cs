using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Kernels;

/// <summary>The memory of tensors and of their gradients, for kernels.</summary>
/// <remarks>
/// By native handles, without a managed object for each: TorchSharp's <c>Tensor.grad</c> and
/// <c>Tensor.bytes</c> cost up to a microsecond each, these calls a few nanoseconds. Those that only read a
/// field skip the switch of the collector's mode. The caller keeps the tensors of the handles alive.
/// </remarks>
internal static unsafe partial class KernelMemory
{
    /// <summary>True for a tensor that a kernel may read and write as one block: on the CPU, dense, contiguous.</summary>
    public static bool IsContiguous(Tensor tensor) => tensor.device_type == DeviceType.CPU && !tensor.is_sparse && tensor.is_contiguous();

    /// <summary>The first element. Keep the tensor alive while the pointer is in use.</summary>
    public static T* Pointer<T>(Tensor tensor) where T : unmanaged => (T*)THSTensor_data(tensor.Handle);

    /// <summary>The first element, or null if there is no tensor.</summary>
    public static float* Floats(Tensor? tensor) => tensor is null ? null : Pointer<float>(tensor);

    /// <summary>
    /// The memory of a tensor, if it is what was expected: strided and contiguous on the CPU, of this dtype and this number of elements.
    /// </summary>
    /// <remarks>A tensor of another layout has no contiguity, so that the first question also refuses sparse ones.</remarks>
    public static bool TryGet(IntPtr tensor, ScalarType type, long count, out void* memory)
    {
        var fits = THSTensor_is_contiguous(tensor) != 0 && THSTensor_numel(tensor) == count
            && THSTensor_type(tensor) == (sbyte)type && THSTensor_device_type(tensor) == (int)DeviceType.CPU;
        memory = fits ? THSTensor_data(tensor) : null;
        return fits;
    }

    /// <summary>Whether a kernel may read a tensor as one block of so many numbers in so many dimensions: strided and contiguous on the
    /// CPU, of this dtype and shape. Ask it of every weight: who owns a module may have put another one in its place or removed it, and
    /// a kernel that reads one by the sizes of its layer reads past the end of a smaller one.</summary>
    public static bool Is(Tensor? tensor, ScalarType type, params ReadOnlySpan<long> shape) =>
        tensor is not null && TryGet(tensor.Handle, type, shape, out _);

    /// <inheritdoc cref="TryGet(IntPtr, ScalarType, long, out void*)"/>
    public static bool TryGet(IntPtr tensor, ScalarType type, ReadOnlySpan<long> shape, out void* memory)
    {
        memory = null;
        if (THSTensor_is_contiguous(tensor) == 0 || THSTensor_type(tensor) != (sbyte)type
            || THSTensor_device_type(tensor) != (int)DeviceType.CPU || THSTensor_ndimension(tensor) != shape.Length)
            return false;
        for (var i = 0; i < shape.Length; i++)
            if (THSTensor_size(tensor, i) != shape[i]) return false;
        memory = THSTensor_data(tensor);
        return true;
    }

    /// <summary>The memory of a tensor that is known to have been what is expected when its memory was there: the same,
    /// unless it has moved, or its dimensions have changed places.</summary>
    public static bool IsStill(IntPtr tensor, void* memory) => THSTensor_data(tensor) == memory && THSTensor_is_contiguous(tensor) != 0;

    /// <summary>Whether a tensor is a matrix of so many columns, with one row at least and few at most.</summary>
    public static bool AreRows(IntPtr tensor, long columns, int most) => THSTensor_ndimension(tensor) == 2
        && THSTensor_size(tensor, 1) == columns && THSTensor_size(tensor, 0) is var rows && rows >= 1 && rows <= most;

    /// <summary>A matrix of few rows of float32 or float64 on the CPU, contiguous.</summary>
    /// <param name="tensor">The tensor.</param>
    /// <param name="columns">The columns that it must have.</param>
    /// <param name="most">The most rows that it may have.</param>
    /// <param name="rows">How many it has, at least 1.</param>
    /// <param name="type">Its dtype.</param>
    /// <param name="memory">Where it is.</param>
    public static bool TryGetRows(IntPtr tensor, long columns, int most, out int rows, out ScalarType type, out void* memory)
    {
        memory = null;
        (rows, type) = (0, default);
        if (THSTensor_ndimension(tensor) != 2 || THSTensor_size(tensor, 1) != columns || THSTensor_is_contiguous(tensor) == 0
            || THSTensor_device_type(tensor) != (int)DeviceType.CPU)
            return false;
        var count = THSTensor_size(tensor, 0);
        type = (ScalarType)THSTensor_type(tensor);
        if (count < 1 || count > most || type is not (ScalarType.Float32 or ScalarType.Float64)) return false;
        rows = (int)count;
        memory = THSTensor_data(tensor);
        return true;
    }

    /// <summary>Whether a tensor wants gradients.</summary>
    public static bool WantsGradient(IntPtr tensor) => THSTensor_requires_grad(tensor) != 0;

    /// <summary>Whether no operation has made a tensor, so that its gradient is kept in it.</summary>
    public static bool IsLeaf(IntPtr tensor) => THSTensor_is_leaf(tensor) != 0;

    /// <summary>The dtype of a tensor.</summary>
    public static ScalarType TypeOf(IntPtr tensor) => (ScalarType)THSTensor_type(tensor);

    /// <summary>Whether it is a strided and contiguous tensor of float32 numbers on the CPU.</summary>
    public static bool IsFloats(IntPtr tensor) => THSTensor_is_contiguous(tensor) != 0
        && THSTensor_type(tensor) == (sbyte)ScalarType.Float32 && THSTensor_device_type(tensor) == (int)DeviceType.CPU;

    /// <summary>A size of a tensor that has this dimension.</summary>
    public static long SizeOf(IntPtr tensor, long dimension) => THSTensor_size(tensor, dimension);

    /// <summary>The shape of a tensor.</summary>
    public static long[] ShapeOf(IntPtr tensor)
    {
        var shape = new long[THSTensor_ndimension(tensor)];
        for (var i = 0; i < shape.Length; i++) shape[i] = THSTensor_size(tensor, i);
        return shape;
    }

    /// <summary>The same as <c>tensor.shape</c>, which calls back for an array of memory that never moves, and so takes more than a
    /// microsecond: a pass of Glow asks for a thousand.</summary>
    public static long[] Sizes(this Tensor tensor) => ShapeOf(tensor.Handle);

    /// <summary>The same as <c>tensor.stride()</c>, of a tensor that has strides; see <see cref="Sizes"/>.</summary>
    public static long[] Strides(this Tensor tensor)
    {
        var handle = tensor.Handle;
        var strides = new long[THSTensor_ndimension(handle)];
        for (var i = 0; i < strides.Length; i++) strides[i] = THSTensor_stride(handle, i);
        return strides;
    }

    /// <summary>The number of elements of a tensor.</summary>
    public static long CountOf(IntPtr tensor) => THSTensor_numel(tensor);

    /// <summary>The first element of a tensor.</summary>
    public static void* DataOf(IntPtr tensor) => THSTensor_data(tensor);

    /// <summary>The first element of a tensor of float32 numbers, or null for 0.</summary>
    public static float* FloatsOf(IntPtr tensor) => tensor == 0 ? null : (float*)THSTensor_data(tensor);

    /// <summary>A new tensor of float32 numbers on the CPU in the shape of another one, whose numbers are not set, as a handle: for
    /// tensors that no managed code gets to see. Give it to <see cref="Release"/>.</summary>
    /// <exception cref="ExternalException">There is no memory for it.</exception>
    public static IntPtr NewFloatsLike(IntPtr tensor)
    {
        var dimensions = (int)THSTensor_ndimension(tensor);
        var sizes = stackalloc long[dimensions];
        for (var i = 0; i < dimensions; i++) sizes[i] = THSTensor_size(tensor, i);
        return New(sizes, dimensions, ScalarType.Float32);
    }

    /// <summary>A new vector of float64 on the CPU, whose numbers are not set, as a handle: as <see cref="NewFloatsLike"/>.</summary>
    /// <exception cref="ExternalException">There is no memory for it.</exception>
    public static IntPtr NewDoubles(long count) => New(&count, 1, ScalarType.Float64);

    private static IntPtr New(long* sizes, int dimensions, ScalarType type)
    {
        var made = TryNew(sizes, dimensions, type);
        if (made != 0) return made;
        // as TorchSharp does: tensors that nobody has disposed may hold the memory
        GC.Collect();
        GC.WaitForPendingFinalizers();
        made = TryNew(sizes, dimensions, type);
        if (made == 0) CheckForErrors();
        return made;
    }

    /// <summary>Frees a handle.</summary>
    public static void Release(IntPtr tensor) => THSTensor_dispose(tensor);

    /// <summary>A new handle of a tensor that is the same to autograd, and to its memory.</summary>
    public static IntPtr Alias(IntPtr tensor)
    {
        var alias = THSTensor_alias(tensor);
        if (alias == 0) CheckForErrors();
        return alias;
    }

    private static IntPtr TryNew(long* sizes, int dimensions, ScalarType type) =>
        THSTensor_empty((IntPtr)sizes, dimensions, (sbyte)type, (int)DeviceType.CPU, -1, 0);

    /// <summary>A new handle of the gradient, or 0 if there is none; give it to <see cref="ReleaseGradient"/>.</summary>
    public static IntPtr TakeGradient(IntPtr tensor) => THSTensor_grad(tensor);

    /// <summary>Gives a handle back that <see cref="TakeGradient"/> gave; the gradient itself stays.</summary>
    public static void ReleaseGradient(IntPtr gradient) => THSTensor_dispose(gradient);

    /// <summary>Makes a tensor the gradient of another one; false if that has one already, or they differ in size, dtype or
    /// layout.</summary>
    public static bool SetGradient(IntPtr tensor, IntPtr gradient)
    {
        if (THSTensor_numel(tensor) != THSTensor_numel(gradient) || THSTensor_type(tensor) != THSTensor_type(gradient)
            || THSTensor_device_type(tensor) != THSTensor_device_type(gradient)
            || THSTensor_is_contiguous(tensor) == 0 || THSTensor_is_contiguous(gradient) == 0)
            return false;
        if (THSTensor_grad(tensor) is var there && there != 0)
        {
            THSTensor_dispose(there);
            return false;
        }
        THSTensor_set_grad(tensor, gradient);
        return true;
    }

    /// <summary>Removes the gradient of a tensor.</summary>
    public static void ClearGradient(IntPtr tensor) => THSTensor_set_grad(tensor, 0);

    [LibraryImport("LibTorchSharp")]
    private static partial IntPtr THSTensor_grad(IntPtr tensor);

    [LibraryImport("LibTorchSharp")]
    private static partial void THSTensor_set_grad(IntPtr tensor, IntPtr gradient);

    [LibraryImport("LibTorchSharp")]
    private static partial IntPtr THSTensor_empty(IntPtr sizes, int dimensions, sbyte type, int device, int index, byte wantsGradient);

    [LibraryImport("LibTorchSharp")]
    private static partial IntPtr THSTensor_alias(IntPtr tensor);

    [LibraryImport("LibTorchSharp")]
    private static partial void THSTensor_dispose(IntPtr tensor);

    [LibraryImport("LibTorchSharp"), SuppressGCTransition]
    private static partial void* THSTensor_data(IntPtr tensor);

    [LibraryImport("LibTorchSharp"), SuppressGCTransition]
    private static partial int THSTensor_requires_grad(IntPtr tensor);

    [LibraryImport("LibTorchSharp"), SuppressGCTransition]
    private static partial byte THSTensor_is_leaf(IntPtr tensor);

    [LibraryImport("LibTorchSharp"), SuppressGCTransition]
    private static partial long THSTensor_ndimension(IntPtr tensor);

    [LibraryImport("LibTorchSharp"), SuppressGCTransition]
    private static partial long THSTensor_size(IntPtr tensor, long dimension);

    [LibraryImport("LibTorchSharp"), SuppressGCTransition]
    private static partial long THSTensor_stride(IntPtr tensor, long dimension);

    [LibraryImport("LibTorchSharp"), SuppressGCTransition]
    private static partial byte THSTensor_is_contiguous(IntPtr tensor);

    [LibraryImport("LibTorchSharp"), SuppressGCTransition]
    private static partial long THSTensor_numel(IntPtr tensor);

    [LibraryImport("LibTorchSharp"), SuppressGCTransition]
    private static partial sbyte THSTensor_type(IntPtr tensor);

    [LibraryImport("LibTorchSharp"), SuppressGCTransition]
    private static partial int THSTensor_device_type(IntPtr tensor);
}
