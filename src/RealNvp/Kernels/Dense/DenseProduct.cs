using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>Products of matrices, tile by tile.</summary>
internal static unsafe class DenseProduct
{
    /// <summary>The distance between rows of a matrix of our own: whole vectors of any width, and
    /// not a multiple of 256 bytes, at which rows would push each other out of the cache.</summary>
    public static int Stride(int columns)
    {
        var stride = (columns + 15) / 16 * 16;
        return stride % 64 == 0 ? stride + 16 : stride;
    }

    /// <summary>
    /// Rows times columns of Σ over steps of a[row·<paramref name="aRow"/> + step·<paramref name="aStep"/>]·b. The right side is packed by
    /// <see cref="DensePacking"/> where <paramref name="bStep"/> is 0, and else a matrix of our own with rows of
    /// that distance. What it writes is as wide as a matrix of our own; what is beyond the columns means nothing.
    /// </summary>
    /// <param name="a">The left side.</param>
    /// <param name="aRow">From one of its rows to the next.</param>
    /// <param name="aStep">From one of its steps to the next.</param>
    /// <param name="b">The right side.</param>
    /// <param name="bStep">From one of its steps to the next, or 0.</param>
    /// <param name="rows">The rows.</param>
    /// <param name="columns">The columns.</param>
    /// <param name="steps">The steps.</param>
    /// <param name="finish">What becomes of the result.</param>
    /// <param name="stepsOf">For a first column and a number of columns, the steps
    /// at which the right side has anything; null if that is all.</param>
    public static void Multiply<TLanes, T>(T* a, nint aRow, nint aStep, T* b, nint bStep, int rows, int columns, int steps,
        DenseFinish<T> finish, Func<int, int, (int First, int End)>? stepsOf = null)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var panels = DensePanels.Of<T>(TLanes.Count, stepsOf is not null);
        for (var column = 0; column < columns; column += panels.Full)
        {
            var width = panels.Width(column, columns);
            var (first, end) = stepsOf is null ? (0, steps) : stepsOf(column, width);
            var step = bStep != 0 ? bStep : width;
            var panel = (bStep == 0 ? b + ((nint)column * steps) : b + column) + (first * step);
            Panel<TLanes, T>(width, a + (first * aStep), aRow, aStep, panel, step, 0, rows, end - first, &finish, column);
        }
    }

    /// <summary>As <see cref="Multiply{TLanes, T}"/> with a matrix of our own on the right, but only those
    /// rows of each panel that have a meaning; the others get 0 if nothing is added.</summary>
    /// <param name="a">The left side.</param>
    /// <param name="aRow">From one of its rows to the next.</param>
    /// <param name="aStep">From one of its steps to the next.</param>
    /// <param name="b">The right side.</param>
    /// <param name="bStep">From one of its steps to the next.</param>
    /// <param name="rows">The rows.</param>
    /// <param name="columns">The columns.</param>
    /// <param name="steps">The steps.</param>
    /// <param name="finish">What becomes of the result.</param>
    /// <param name="rowsOf">For a first column and a number of columns, the rows that have a meaning.</param>
    public static void MultiplyRows<TLanes, T>(T* a, nint aRow, nint aStep, T* b, nint bStep, int rows, int columns, int steps,
        DenseFinish<T> finish, Func<int, int, (int First, int End)> rowsOf)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var panels = DensePanels.Of<T>(TLanes.Count, isMasked: true);
        for (var column = 0; column < columns; column += panels.Full)
        {
            var width = panels.Width(column, columns);
            var (first, end) = rowsOf(column, width);
            Panel<TLanes, T>(width, a, aRow, aStep, b + column, bStep, first, end, steps, &finish, column);
            if (finish.Addend != null) continue;
            for (var row = 0; row < rows; row++)
                if (row < first || row >= end) new Span<T>(finish.Result + (row * finish.Stride) + column, width).Clear();
        }
    }

    private static void Panel<TLanes, T>(int width, T* a, nint aRow, nint aStep, T* b, nint bStep, int first, int end, int steps,
        DenseFinish<T>* finish, int column)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        switch (width / TLanes.Count)
        {
            case 1: Panel<TLanes, T, Dense1>(a, aRow, aStep, b, bStep, first, end, steps, finish, column); break;
            case 2: Panel<TLanes, T, Dense2>(a, aRow, aStep, b, bStep, first, end, steps, finish, column); break;
            case 3: Panel<TLanes, T, Dense3>(a, aRow, aStep, b, bStep, first, end, steps, finish, column); break;
            default: Panel<TLanes, T, Dense4>(a, aRow, aStep, b, bStep, first, end, steps, finish, column); break;
        }
    }

    private static void Panel<TLanes, T, TVectors>(T* a, nint aRow, nint aStep, T* b, nint bStep, int first, int end, int steps,
        DenseFinish<T>* finish, int column)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
        where TVectors : struct, IDenseNumber
    {
        var row = first;
        if (TVectors.Value == DenseTile.Vectors && TLanes.Count * sizeof(T) == 64 && steps >= DenseTile.TallSteps)
            for (; row <= end - DenseTile.TallRows; row += DenseTile.TallRows)
                DenseTile.Tall<TLanes, T>(a + (row * aRow), aRow, aStep, b, bStep, steps, finish, row * finish->Stride, column);
        for (; row <= end - DenseTile.Rows; row += DenseTile.Rows)
            DenseTile.Run<TLanes, T, Dense6, TVectors>(a + (row * aRow), aRow, aStep, b, bStep, steps, finish, row * finish->Stride,
                column);
        a += row * aRow;
        var at = row * finish->Stride;
        switch (end - row)
        {
            case 1: DenseTile.Run<TLanes, T, Dense1, TVectors>(a, aRow, aStep, b, bStep, steps, finish, at, column); break;
            case 2: DenseTile.Run<TLanes, T, Dense2, TVectors>(a, aRow, aStep, b, bStep, steps, finish, at, column); break;
            case 3: DenseTile.Run<TLanes, T, Dense3, TVectors>(a, aRow, aStep, b, bStep, steps, finish, at, column); break;
            case 4: DenseTile.Run<TLanes, T, Dense4, TVectors>(a, aRow, aStep, b, bStep, steps, finish, at, column); break;
            case 5: DenseTile.Run<TLanes, T, Dense5, TVectors>(a, aRow, aStep, b, bStep, steps, finish, at, column); break;
        }
    }
}
