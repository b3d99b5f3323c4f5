using System.Runtime.InteropServices;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Rows of numbers in an array of any form, for callers without tensors: an array is
/// one by itself, as in <c>flow.LogProb(new float[,] { { 1, 2 }, { 3, 4 } })</c>.</summary>
/// <remarks>
/// <para>Two dimensions and arrays of arrays have a row for each example. An array of one dimension, a span
/// or memory has all rows one after the other; how many there are follows from the size of an example. An
/// example of several dimensions, such as an image (C, H, W), is one row, in that order.</para>
/// <para>Numbers keep their type until they are in the flow: double, float, long, int or byte, the last three for a flow that
/// dequantizes and for labels. They are copied once, into a tensor; the array stays as it is, and may be changed after the call.</para>
/// </remarks>
public readonly ref struct DataRows
{
    private readonly ReadOnlySpan<byte> raw;
    private readonly ScalarType type;
    private readonly int size;
    private readonly int? columns;
    private readonly int[]? dimensions;

    /// <summary>Rows one after the other.</summary>
    /// <param name="numbers">Row by row; a multiple of <paramref name="columns"/>.</param>
    /// <param name="columns">The number of numbers of a row; at least 1.</param>
    public DataRows(ReadOnlySpan<float> numbers, int columns)
        : this(Bytes(numbers), ScalarType.Float32, sizeof(float), Positive(columns)) { }

    /// <inheritdoc cref="DataRows(ReadOnlySpan{float}, int)"/>
    public DataRows(ReadOnlySpan<double> numbers, int columns)
        : this(Bytes(numbers), ScalarType.Float64, sizeof(double), Positive(columns)) { }

    /// <inheritdoc cref="DataRows(ReadOnlySpan{float}, int)"/>
    public DataRows(ReadOnlySpan<long> numbers, int columns)
        : this(Bytes(numbers), ScalarType.Int64, sizeof(long), Positive(columns)) { }

    /// <inheritdoc cref="DataRows(ReadOnlySpan{float}, int)"/>
    public DataRows(ReadOnlySpan<int> numbers, int columns)
        : this(Bytes(numbers), ScalarType.Int32, sizeof(int), Positive(columns)) { }

    /// <inheritdoc cref="DataRows(ReadOnlySpan{float}, int)"/>
    public DataRows(ReadOnlySpan<byte> numbers, int columns)
        : this(numbers, ScalarType.Byte, sizeof(byte), Positive(columns)) { }

    private DataRows(ReadOnlySpan<byte> raw, ScalarType type, int size, int? columns, int[]? dimensions = null)
    {
        (this.type, this.size, this.columns, this.dimensions) = (type, size, columns, dimensions);
        this.raw = raw;
    }

    /// <summary>Examples in an array of any number of dimensions, such as images <c>float[N, C, H, W]</c>: the first dimension is
    /// for the examples, and the others are those of one example, in its order.</summary>
    /// <param name="array">Of double, float, long, int or byte; at least one dimension, which is all examples one after the other or
    /// labels. It is read when it is used, and stays as it is.</param>
    /// <exception cref="ArgumentException">The array holds something else than these numbers.</exception>
    public static DataRows FromArray(Array array)
    {
        ArgumentNullException.ThrowIfNull(array);
        return array.GetType().GetElementType() switch
        {
            { } t when t == typeof(float) => Of<float>(array, ScalarType.Float32),
            { } t when t == typeof(double) => Of<double>(array, ScalarType.Float64),
            { } t when t == typeof(long) => Of<long>(array, ScalarType.Int64),
            { } t when t == typeof(int) => Of<int>(array, ScalarType.Int32),
            { } t when t == typeof(byte) => Of<byte>(array, ScalarType.Byte),
            var t => throw new ArgumentException(
                $"An array of examples holds double, float, long, int or byte; got {t?.Name}. An array of arrays is one by itself: pass " +
                $"it without {nameof(FromArray)}.", nameof(array)),
        };
    }

    /// <summary>Whether there is no array at all.</summary>
    public bool IsNull => size == 0;

    /// <summary>The number of numbers of a row; null if the array does not say.</summary>
    public int? Columns => columns;

    /// <summary>Rows of an array.</summary>
    public static implicit operator DataRows(float[,]? rows) =>
        rows is null ? default : new(Bytes(Flat<float>(rows)), ScalarType.Float32, sizeof(float), rows.GetLength(1));

    /// <summary>Rows of an array.</summary>
    public static implicit operator DataRows(double[,]? rows) =>
        rows is null ? default : new(Bytes(Flat<double>(rows)), ScalarType.Float64, sizeof(double), rows.GetLength(1));

    /// <summary>Rows of an array of arrays of one length.</summary>
    public static implicit operator DataRows(float[][]? rows) =>
        rows is null ? default : new(Bytes<float>(Joined(rows, out var columns)), ScalarType.Float32, sizeof(float), columns);

    /// <summary>Rows of an array of arrays of one length.</summary>
    public static implicit operator DataRows(double[][]? rows) =>
        rows is null ? default : new(Bytes<double>(Joined(rows, out var columns)), ScalarType.Float64, sizeof(double), columns);

    /// <summary>All rows one after the other.</summary>
    public static implicit operator DataRows(float[]? numbers) => numbers is null ? default : (DataRows)numbers.AsSpan();

    /// <summary>All rows one after the other.</summary>
    public static implicit operator DataRows(double[]? numbers) => numbers is null ? default : (DataRows)numbers.AsSpan();

    /// <summary>All rows one after the other, or labels.</summary>
    public static implicit operator DataRows(long[]? numbers) =>
        numbers is null ? default : new(Bytes<long>(numbers), ScalarType.Int64, sizeof(long), null);

    /// <summary>All rows one after the other, or labels.</summary>
    public static implicit operator DataRows(int[]? numbers) =>
        numbers is null ? default : new(Bytes<int>(numbers), ScalarType.Int32, sizeof(int), null);

    /// <summary>All rows one after the other, such as pixels.</summary>
    public static implicit operator DataRows(byte[]? numbers) =>
        numbers is null ? default : new(numbers, ScalarType.Byte, sizeof(byte), null);

    /// <summary>All rows one after the other.</summary>
    public static implicit operator DataRows(ReadOnlySpan<float> numbers) => new(Bytes(numbers), ScalarType.Float32, sizeof(float), null);

    /// <summary>All rows one after the other.</summary>
    public static implicit operator DataRows(ReadOnlySpan<double> numbers) => new(Bytes(numbers), ScalarType.Float64, sizeof(double), null);

    /// <summary>All rows one after the other.</summary>
    public static implicit operator DataRows(Span<float> numbers) => (ReadOnlySpan<float>)numbers;

    /// <summary>All rows one after the other.</summary>
    public static implicit operator DataRows(Span<double> numbers) => (ReadOnlySpan<double>)numbers;

    /// <summary>All rows one after the other, or labels.</summary>
    public static implicit operator DataRows(ReadOnlySpan<long> numbers) => new(Bytes(numbers), ScalarType.Int64, sizeof(long), null);

    /// <summary>All rows one after the other, or labels.</summary>
    public static implicit operator DataRows(ReadOnlySpan<int> numbers) => new(Bytes(numbers), ScalarType.Int32, sizeof(int), null);

    /// <summary>All rows one after the other, such as pixels.</summary>
    public static implicit operator DataRows(ReadOnlySpan<byte> numbers) => new(numbers, ScalarType.Byte, sizeof(byte), null);

    /// <summary>All rows one after the other.</summary>
    public static implicit operator DataRows(ReadOnlyMemory<float> numbers) => numbers.Span;

    /// <summary>All rows one after the other.</summary>
    public static implicit operator DataRows(ReadOnlyMemory<double> numbers) => numbers.Span;

    /// <summary>All rows one after the other.</summary>
    public static implicit operator DataRows(Memory<float> numbers) => numbers.Span;

    /// <summary>All rows one after the other.</summary>
    public static implicit operator DataRows(Memory<double> numbers) => numbers.Span;

    /// <summary>All rows one after the other, such as pixels.</summary>
    public static implicit operator DataRows(ReadOnlyMemory<byte> numbers) => numbers.Span;

    /// <summary>Rows of float or double, few of them and at least one, where they lie; false if they are others.</summary>
    /// <param name="width">The numbers of a row.</param>
    /// <param name="most">The most rows.</param>
    /// <param name="rows">How many there are.</param>
    /// <param name="numbers">Where they lie.</param>
    /// <param name="isDouble">Whether they are of double.</param>
    internal bool TryGet(int width, int most, out int rows, out ReadOnlySpan<byte> numbers, out bool isDouble)
    {
        (rows, isDouble) = (0, type == ScalarType.Float64);
        numbers = raw;
        if (size == 0 || type is not (ScalarType.Float32 or ScalarType.Float64) || (columns is { } c && c != width)
            || dimensions is { Length: > 2 })
            return false;
        var count = raw.Length / size;
        rows = count / width;
        return rows >= 1 && rows <= most && count == rows * width;
    }

    /// <summary>The rows as a tensor (N, shape) on the CPU, in the dtype of the numbers. The caller disposes it.</summary>
    /// <param name="shape">The shape of an example, all sizes known.</param>
    /// <param name="parameter">What the array is called.</param>
    /// <param name="owner">The method that was called.</param>
    internal Tensor ToTensor(EventShape shape, string parameter, string owner)
    {
        if (IsNull) throw new ArgumentNullException(parameter, $"{owner} needs an array of rows; got null.");
        var (width, count) = (shape.NumElements, raw.Length / size);
        if (columns is { } c && c != width)
            throw new ArgumentException(
                $"{owner} expects {parameter} with {width} number(s) in a row, for examples of shape {shape}; got rows of {c}.", parameter);
        if (count % width != 0)
            throw new ArgumentException(
                $"{owner} expects {parameter} with {width} number(s) in a row, for examples of shape {shape}; got {count} numbers, " +
                $"which is no whole number of rows.", parameter);
        if (dimensions is { Length: > 2 } given && !given.AsSpan(1).SequenceEqual([.. shape.ToArray().Select(n => checked((int)n))]))
            throw new ArgumentException(
                $"{owner} expects {parameter} with examples of shape {shape}; got an array of " +
                $"[{string.Join(", ", given)}]. Its first dimension is for the examples, and the others are those of one example.",
                    parameter);
        var rows = empty(shape.WithBatch(count / width), type, CPU);
        HostFetch.Store(raw, rows);
        return rows;
    }

    private static DataRows Of<T>(Array array, ScalarType type) where T : unmanaged
    {
        int[] sizes = [.. Enumerable.Range(0, array.Rank).Select(array.GetLength)];
        int? columns = sizes.Length == 1 ? null : checked((int)sizes.Skip(1).Aggregate(1L, (a, b) => a * b));
        return new(Bytes(Flat<T>(array)), type, System.Runtime.CompilerServices.Unsafe.SizeOf<T>(), columns, sizes);
    }

    private static ReadOnlySpan<T> Flat<T>(Array rows) where T : unmanaged =>
        MemoryMarshal.CreateReadOnlySpan(ref System.Runtime.CompilerServices.Unsafe.As<byte, T>(
            ref MemoryMarshal.GetArrayDataReference(rows)), rows.Length);

    private static T[] Joined<T>(T[][] rows, out int? known)
    {
        // no rows have any number of columns
        known = null;
        if (rows.Length == 0) return [];
        var columns = rows[0]?.Length ?? 0;
        known = columns;
        var all = new T[checked(rows.Length * columns)];
        for (var i = 0; i < rows.Length; i++)
        {
            if (rows[i] is not { } row) throw new ArgumentException($"Row {i} is null.", nameof(rows));
            if (row.Length != columns)
                throw new ArgumentException(
                    $"All rows have as many numbers as the first one, which has {columns}; row {i} has {row.Length}.", nameof(rows));
            row.CopyTo(all, i * columns);
        }
        return all;
    }

    private static ReadOnlySpan<byte> Bytes<T>(ReadOnlySpan<T> numbers) where T : unmanaged
    {
        if ((long)numbers.Length * System.Runtime.CompilerServices.Unsafe.SizeOf<T>() > int.MaxValue)
            throw new ArgumentException($"An array of rows may have 2 GB; got {numbers.Length} numbers. Pass it in parts, or as a tensor.",
                nameof(numbers));
        return MemoryMarshal.AsBytes(numbers);
    }

    private static int Positive(int columns) => (int)Check.Positive(columns, nameof(columns), "The number of columns");
}
