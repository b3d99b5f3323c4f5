using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Plotting;

/// <summary>
/// Numbers for a picture: a tensor, an array or numbers in brackets are one by themselves, as in
/// <c>new RocCurve(flow.LogProb(x), labels)</c>, <c>new RocCurve([0.2, 0.9], [0, 1])</c> and <c>new CornerPlot([[1, 2], [3, 4]])</c>.
/// </summary>
/// <remarks>
/// The numbers are copied at once, as doubles. A tensor may have any real dtype and be on any device; it is only read, and may be disposed
/// as soon as it is converted. An instance never changes, and holds no tensor.
/// </remarks>
[CollectionBuilder(typeof(PlotData), nameof(Create))]
public sealed class PlotData
{
    private readonly double[] numbers;
    private readonly long[] shape;

    private PlotData(double[] numbers, params long[] shape) => (this.numbers, this.shape) = (numbers, shape);

    // where functions of a tensor's user want their points
    internal ScalarType Dtype { get; private init; } = ScalarType.Float32;

    internal Device Device { get; private init; } = CPU;

    /// <summary>Whether the numbers were whole numbers before they were copied, such as labels.</summary>
    internal bool IsWhole { get; private init; }

    internal string ShapeText => Check.Shape(shape);

    /// <summary>The sizes, such as (N) or (N, D).</summary>
    public IReadOnlyList<long> Shape => shape;

    /// <summary>The numbers in row-major order.</summary>
    public ReadOnlySpan<double> Numbers => numbers;

    /// <summary>The numbers of a tensor of any shape; null of null.</summary>
    /// <exception cref="ArgumentException">The tensor is complex.</exception>
    [return: NotNullIfNotNull(nameof(tensor))]
    public static implicit operator PlotData?(Tensor? tensor) =>
        tensor is null ? null : new(Check.Numbers(tensor, "A tensor for a picture"), tensor.shape)
    {
        Dtype = tensor.is_floating_point() ? tensor.dtype : ScalarType.Float32, Device = tensor.device,
        IsWhole = !tensor.is_floating_point(),
    };

    /// <summary>N numbers.</summary>
    [return: NotNullIfNotNull(nameof(numbers))]
    public static implicit operator PlotData?(double[]? numbers) => numbers is null ? null : new([.. numbers], numbers.Length);

    /// <summary>N numbers.</summary>
    [return: NotNullIfNotNull(nameof(numbers))]
    public static implicit operator PlotData?(float[]? numbers) => From(numbers, n => n);

    /// <summary>N whole numbers, such as labels or ranks.</summary>
    [return: NotNullIfNotNull(nameof(numbers))]
    public static implicit operator PlotData?(int[]? numbers) => From(numbers, n => n, whole: true);

    /// <summary>N whole numbers, such as labels or ranks.</summary>
    [return: NotNullIfNotNull(nameof(numbers))]
    public static implicit operator PlotData?(long[]? numbers) => From(numbers, n => n, whole: true);

    /// <summary>N whole numbers, such as labels.</summary>
    [return: NotNullIfNotNull(nameof(numbers))]
    public static implicit operator PlotData?(byte[]? numbers) => From(numbers, n => n, whole: true);

    /// <summary>N labels: true is 1 and false is 0.</summary>
    [return: NotNullIfNotNull(nameof(labels))]
    public static implicit operator PlotData?(bool[]? labels) => From(labels, l => l ? 1 : 0);

    /// <summary>N numbers.</summary>
    [return: NotNullIfNotNull(nameof(numbers))]
    public static implicit operator PlotData?(List<double>? numbers) => numbers is null ? null : new([.. numbers], numbers.Count);

    /// <summary>N rows of D numbers.</summary>
    [return: NotNullIfNotNull(nameof(rows))]
    public static implicit operator PlotData?(double[,]? rows) =>
        rows is null ? null : new([.. rows.Cast<double>()], rows.GetLength(0), rows.GetLength(1));

    /// <summary>N rows of D numbers.</summary>
    [return: NotNullIfNotNull(nameof(rows))]
    public static implicit operator PlotData?(float[,]? rows) =>
        rows is null ? null : new([.. rows.Cast<float>().Select(n => (double)n)], rows.GetLength(0), rows.GetLength(1));

    /// <summary>N rows of D numbers.</summary>
    /// <exception cref="ArgumentException">A row is null, or not as long as the first one.</exception>
    [return: NotNullIfNotNull(nameof(rows))]
    public static implicit operator PlotData?(double[][]? rows) => Join(rows, n => n);

    /// <summary>N rows of D numbers.</summary>
    /// <exception cref="ArgumentException">A row is null, or not as long as the first one.</exception>
    [return: NotNullIfNotNull(nameof(rows))]
    public static implicit operator PlotData?(float[][]? rows) => Join(rows, n => n);

    /// <summary>What brackets make: N entries of one shape, which are numbers, labels or rows.</summary>
    /// <exception cref="ArgumentException">The entries differ in shape.</exception>
    public static PlotData Create(ReadOnlySpan<PlotEntry> entries)
    {
        if (entries.IsEmpty) return new([], 0);
        var shape = entries[0].Shape;
        var size = entries[0].Count;
        var (numbers, whole) = (new double[checked(entries.Length * size)], true);
        for (var i = 0; i < entries.Length; i++)
        {
            var entry = entries[i];
            if (entry.Shape is var other && !other.AsSpan().SequenceEqual(shape))
                throw new ArgumentException(
                    $"Entry {i} is {Said(other)}, the first one is {Said(shape)}; expected entries of one shape.", nameof(entries));
            entry.CopyTo(numbers.AsSpan(i * size));
            whole &= entry.IsWhole;
        }
        // [0, 1] may be labels; in [[0, 1], [2, 3]] whole numbers are numbers, as contexts are
        return new(numbers, [entries.Length, .. shape]) { IsWhole = whole && shape.Length == 0 };

        static string Said(long[] shape) => shape.Length switch
        {
            0 => "a number", 1 => $"a row of {shape[0]}", _ => $"a block of shape {Check.Shape(shape)}",
        };
    }

    /// <summary>The entries along the first dimension: numbers of (N), rows of (N, D). Of a single number, itself.</summary>
    public IEnumerator<PlotEntry> GetEnumerator()
    {
        long[] rest = shape.Length == 0 ? [] : shape[1..];
        var size = (int)rest.Aggregate(1L, (product, n) => product * n);
        var count = shape.Length == 0 ? 1 : shape[0];
        for (var i = 0; i < count; i++)
            yield return rest.Length > 0 ? PlotEntry.Of(new PlotData(numbers[(i * size)..((i + 1) * size)], rest) { IsWhole = IsWhole })
                : IsWhole ? (PlotEntry)(long)numbers[i] : numbers[i];
    }

    /// <summary>The numbers of one dimension, at least one, none of them NaN; infinite ones only if they are allowed.</summary>
    internal double[] Vector(string name, bool infinite = false)
    {
        Check.Shape(shape, [-1], "(N)", name);
        Check.Finite(numbers, name, infinite ? double.IsInfinity : null);
        return numbers;
    }

    /// <summary>Points (x, y, x, y, ...) of (N, 2).</summary>
    internal double[] Points(string name)
    {
        Check.Shape(shape, [-1, 2], "(N, 2)", name);
        return numbers;
    }

    /// <summary>Lines of points (x, y, x, y, ...) of (lines, points, 2).</summary>
    internal (double[] Numbers, int PointsPerLine) Lines(string name)
    {
        Check.Shape(shape, [-1, -1, 2], "(lines, points, 2)", name);
        return (numbers, (int)shape[1]);
    }

    /// <summary>The columns of (N, D), or of (N) as one column; at least one row and one column.</summary>
    internal double[][] Columns(string name)
    {
        if (shape.Length != 1) Check.Shape(shape, [-1, -1], "(N, D)", name);
        else Check.Shape(shape, [-1], "(N, D) or (N)", name);
        var (count, columns) = ((int)shape[0], shape.Length == 1 ? 1 : (int)shape[1]);
        var result = new double[columns][];
        for (var c = 0; c < columns; c++)
        {
            result[c] = new double[count];
            for (var r = 0; r < count; r++) result[c][r] = numbers[r * columns + c];
        }
        return result;
    }

    private static PlotData? From<T>(T[]? numbers, Func<T, double> number, bool whole = false) =>
        numbers is null ? null : new(Array.ConvertAll(numbers, n => number(n)), numbers.Length) { IsWhole = whole };

    private static PlotData? Join<T>(T[][]? rows, Func<T, double> number)
    {
        if (rows is null) return null;
        var columns = rows.Length == 0 ? 1 : rows[0]?.Length ?? 0;
        for (var r = 0; r < rows.Length; r++)
            if (rows[r]?.Length != columns)
                throw new ArgumentException(
                    $"Row {r} has {(rows[r] is null ? "no array" : $"{rows[r].Length} numbers")}, the first one has {columns}; expected " +
                        $"rows of one length.",
                    nameof(rows));
        return new([.. rows.SelectMany(row => row.Select(number))], rows.Length, columns);
    }
}
