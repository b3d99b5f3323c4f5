using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>Products of matrices, tile by tile.</summary>
internal static unsafe class DenseProduct
{
    /// <summary>The distance between rows of a matrix of our own: whole vectors of any width, and not a multiple of 256 bytes, at which rows would push each other out of the cache.</summary>
    public static int Stride(int columns)
    {
        var stride = (columns + 15) / 16 * 16;
        return stride % 64 == 0 ? stride + 16 : stride;
    }

    /// <summary>
    /// Rows times columns of Σ over steps of a[row·<paramref name="aRow"/> + step·<paramref name="aStep"/>]·b. The right side is packed by
    /// <see cref="DensePacking"/> where <paramref name="bStep"/> is 0, and else a matrix of our own with rows of that distance. What it writes is as wide as a
    /// matrix of our own; what is beyond the columns means nothing.
    /// </summary>
    public static void Multiply<L, V>(float* a, nint aRow, nint aStep, float* b, nint bStep, int rows, int columns, int steps, DenseFinish finish)
        where L : struct, IDenseLanes<V>
        where V : struct
    {
        for (var column = 0; column < columns; column += DenseTile.Vectors * L.Count)
        {
            var panel = bStep == 0 ? b + ((nint)column * steps) : b + column;
            if (columns - column > L.Count) Panel<L, V, Dense2>(a, aRow, aStep, panel, bStep == 0 ? 2 * L.Count : bStep, rows, steps, &finish, column);
            else Panel<L, V, Dense1>(a, aRow, aStep, panel, bStep == 0 ? L.Count : bStep, rows, steps, &finish, column);
        }
    }

    private static void Panel<L, V, TVectors>(float* a, nint aRow, nint aStep, float* b, nint bStep, int rows, int steps, DenseFinish* finish, int column)
        where L : struct, IDenseLanes<V>
        where V : struct
        where TVectors : struct, IDenseNumber
    {
        var row = 0;
        for (; row <= rows - DenseTile.Rows; row += DenseTile.Rows)
            DenseTile.Run<L, V, Dense6, TVectors>(a + (row * aRow), aRow, aStep, b, bStep, steps, finish, row * finish->Stride, column);
        a += row * aRow;
        var at = row * finish->Stride;
        switch (rows - row)
        {
            case 1: DenseTile.Run<L, V, Dense1, TVectors>(a, aRow, aStep, b, bStep, steps, finish, at, column); break;
            case 2: DenseTile.Run<L, V, Dense2, TVectors>(a, aRow, aStep, b, bStep, steps, finish, at, column); break;
            case 3: DenseTile.Run<L, V, Dense3, TVectors>(a, aRow, aStep, b, bStep, steps, finish, at, column); break;
            case 4: DenseTile.Run<L, V, Dense4, TVectors>(a, aRow, aStep, b, bStep, steps, finish, at, column); break;
            case 5: DenseTile.Run<L, V, Dense5, TVectors>(a, aRow, aStep, b, bStep, steps, finish, at, column); break;
        }
    }
}
