using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace RealNvp.Extensions;

/// <summary>Tensors of System.Numerics.Tensors as rows, for whatever takes <see cref="DataRows"/>,
/// such as <c>FlowModel.Fit(x.AsRows())</c>: the first dimension is for the examples.</summary>
/// <remarks>A tensor whose numbers lie one after the other is read where it is, and
/// must stay as it is as long as the rows are in use; any other is copied.</remarks>
public static class TensorRowExtensions
{
    /// <summary>The rows of a tensor (N, ...).</summary>
    /// <param name="tensor">At least one dimension; one dimension is all rows one after the other.</param>
    /// <exception cref="ArgumentException">The tensor has no dimensions.</exception>
    public static DataRows AsRows(this ReadOnlyTensorSpan<float> tensor) =>
        Columns(tensor.Lengths) is { } columns ? new DataRows(Flat(tensor), columns) : Flat(tensor);

    /// <inheritdoc cref="AsRows(ReadOnlyTensorSpan{float})"/>
    public static DataRows AsRows(this ReadOnlyTensorSpan<double> tensor) =>
        Columns(tensor.Lengths) is { } columns ? new DataRows(Flat(tensor), columns) : Flat(tensor);

    /// <inheritdoc cref="AsRows(ReadOnlyTensorSpan{float})"/>
    public static DataRows AsRows(this Tensor<float> tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        return tensor.AsReadOnlyTensorSpan().AsRows();
    }

    /// <inheritdoc cref="AsRows(ReadOnlyTensorSpan{float})"/>
    public static DataRows AsRows(this Tensor<double> tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        return tensor.AsReadOnlyTensorSpan().AsRows();
    }

    /// <summary>Copies a tensor to one of torch.</summary>
    /// <param name="tensor">Of any shape.</param>
    /// <returns>The same shape and dtype, on the CPU. The caller disposes it.</returns>
    public static TorchSharp.torch.Tensor ToTorch(this ReadOnlyTensorSpan<float> tensor) =>
        Torch(tensor, TorchSharp.torch.ScalarType.Float32);

    /// <inheritdoc cref="ToTorch(ReadOnlyTensorSpan{float})"/>
    public static TorchSharp.torch.Tensor ToTorch(this ReadOnlyTensorSpan<double> tensor) =>
        Torch(tensor, TorchSharp.torch.ScalarType.Float64);

    /// <inheritdoc cref="ToTorch(ReadOnlyTensorSpan{float})"/>
    public static TorchSharp.torch.Tensor ToTorch(this Tensor<float> tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        return tensor.AsReadOnlyTensorSpan().ToTorch();
    }

    /// <inheritdoc cref="ToTorch(ReadOnlyTensorSpan{float})"/>
    public static TorchSharp.torch.Tensor ToTorch(this Tensor<double> tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        return tensor.AsReadOnlyTensorSpan().ToTorch();
    }

    /// <summary>Copies a tensor of torch to one of System.Numerics.Tensors.</summary>
    /// <typeparam name="T">float or double; the numbers are converted to it.</typeparam>
    /// <param name="tensor">Of any shape and dtype, on any device. It stays the caller's.</param>
    /// <returns>The same shape; (1) for a tensor without dimensions, as one of System.Numerics.Tensors without any has no number.</returns>
    /// <exception cref="NotSupportedException">T is something else.</exception>
    public static Tensor<T> ToNumerics<T>(this TorchSharp.torch.Tensor tensor) where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(tensor);
        var type = typeof(T) == typeof(float) ? TorchSharp.torch.ScalarType.Float32
            : typeof(T) == typeof(double) ? TorchSharp.torch.ScalarType.Float64
            : throw new NotSupportedException($"{nameof(ToNumerics)} makes tensors of float and double; got {typeof(T).Name}.");
        using var scope = TorchSharp.torch.NewDisposeScope();
        var result = Tensor.CreateFromShapeUninitialized<T>(
            tensor.dim() == 0 ? [1] : [.. tensor.shape.Select(n => (nint)n)], pinned: false);
        if (result.FlattenedLength == 0) return result;
        var values = tensor.detach().cpu().to(type).contiguous();
        MemoryMarshal.Cast<byte, T>(values.bytes)
            .CopyTo(MemoryMarshal.CreateSpan(ref result.GetPinnableReference(), checked((int)result.FlattenedLength)));
        return result;
    }

    private static TorchSharp.torch.Tensor Torch<T>(ReadOnlyTensorSpan<T> tensor, TorchSharp.torch.ScalarType type) where T : unmanaged
    {
        var result = TorchSharp.torch.empty([.. tensor.Lengths.ToArray().Select(n => (long)n)], type, TorchSharp.torch.CPU);
        if (tensor.FlattenedLength > 0) MemoryMarshal.AsBytes(Flat(tensor)).CopyTo(result.bytes);
        return result;
    }

    private static int? Columns(ReadOnlySpan<nint> lengths)
    {
        if (lengths.Length == 0) throw new ArgumentException("Rows are a tensor (N, ...); got one without dimensions.", nameof(lengths));
        if (lengths.Length == 1) return null;
        long columns = 1;
        foreach (var length in lengths[1..]) columns = checked(columns * length);
        return checked((int)columns);
    }

    // where the numbers lie, or a copy in order
    private static ReadOnlySpan<T> Flat<T>(ReadOnlyTensorSpan<T> tensor)
    {
        var length = checked((int)tensor.FlattenedLength);
        if (length == 0) return [];
        if (tensor.IsDense) return MemoryMarshal.CreateReadOnlySpan(in tensor.GetPinnableReference(), length);
        var copy = new T[length];
        tensor.FlattenTo(copy);
        return copy;
    }
}
