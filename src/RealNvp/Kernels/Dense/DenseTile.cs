using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>What becomes of a product before it is stored; null where a part is not wanted. All matrices have the same distance between rows.</summary>
internal unsafe struct DenseFinish
{
    /// <summary>Added to each row.</summary>
    public float* Bias;

    /// <summary>Results of relu: sets the product to 0 where they are 0.</summary>
    public float* Gate;

    /// <summary>Added, after <see cref="Gate"/>.</summary>
    public float* Addend;

    /// <summary>Gets the result; may be <see cref="Addend"/>.</summary>
    public float* Result;

    /// <summary>Gets relu of the result.</summary>
    public float* Relu;

    /// <summary>The distance between rows.</summary>
    public nint Stride;
}

/// <summary>The innermost part of all products: some rows times two vectors, summed in registers.</summary>
/// <remarks>
/// Six rows of two vectors need 12 sums, 2 vectors of the right side and 1 of the left: they fit the 16 registers of AVX2, and 12 chains of
/// additions are enough to hide the latency of a multiply-add.
/// </remarks>
internal static unsafe class DenseTile
{
    public const int Rows = 6, Vectors = 2;

    /// <summary>Σ over steps of a[row·<paramref name="aRow"/> + step·<paramref name="aStep"/>]·b[step·<paramref name="bStep"/> + column], finished at <paramref name="at"/> (row 0) and <paramref name="column"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<L, V, TRows, TVectors>(float* a, nint aRow, nint aStep, float* b, nint bStep, nint steps, DenseFinish* finish, nint at, nint column)
        where L : struct, IDenseLanes<V>
        where V : struct
        where TRows : struct, IDenseNumber
        where TVectors : struct, IDenseNumber
    {
        V s00 = L.Zero, s10 = L.Zero, s20 = L.Zero, s30 = L.Zero, s40 = L.Zero, s50 = L.Zero;
        V s01 = L.Zero, s11 = L.Zero, s21 = L.Zero, s31 = L.Zero, s41 = L.Zero, s51 = L.Zero;
        nint row3 = 3 * aRow, row5 = 5 * aRow;
        for (; steps > 0; steps--)
        {
            var b0 = L.Load(b);
            var b1 = TVectors.Value > 1 ? L.Load(b + L.Count) : L.Zero;
            var x = L.Broadcast(a[0]);
            s00 = L.MultiplyAdd(x, b0, s00);
            if (TVectors.Value > 1) s01 = L.MultiplyAdd(x, b1, s01);
            if (TRows.Value > 1)
            {
                x = L.Broadcast(a[aRow]);
                s10 = L.MultiplyAdd(x, b0, s10);
                if (TVectors.Value > 1) s11 = L.MultiplyAdd(x, b1, s11);
            }
            if (TRows.Value > 2)
            {
                x = L.Broadcast(a[2 * aRow]);
                s20 = L.MultiplyAdd(x, b0, s20);
                if (TVectors.Value > 1) s21 = L.MultiplyAdd(x, b1, s21);
            }
            if (TRows.Value > 3)
            {
                x = L.Broadcast(a[row3]);
                s30 = L.MultiplyAdd(x, b0, s30);
                if (TVectors.Value > 1) s31 = L.MultiplyAdd(x, b1, s31);
            }
            if (TRows.Value > 4)
            {
                x = L.Broadcast(a[4 * aRow]);
                s40 = L.MultiplyAdd(x, b0, s40);
                if (TVectors.Value > 1) s41 = L.MultiplyAdd(x, b1, s41);
            }
            if (TRows.Value > 5)
            {
                x = L.Broadcast(a[row5]);
                s50 = L.MultiplyAdd(x, b0, s50);
                if (TVectors.Value > 1) s51 = L.MultiplyAdd(x, b1, s51);
            }
            a += aStep;
            b += bStep;
        }
        // in registers: as far as the compiler knows, a result that is stored might change what `finish` points at
        float* bias = finish->Bias, gate = finish->Gate, addend = finish->Addend, result = finish->Result, relu = finish->Relu;
        var stride = finish->Stride;
        at += column;
        Row<L, V, TVectors>(s00, s01, bias, gate, addend, result, relu, at, column);
        if (TRows.Value > 1) Row<L, V, TVectors>(s10, s11, bias, gate, addend, result, relu, at + stride, column);
        if (TRows.Value > 2) Row<L, V, TVectors>(s20, s21, bias, gate, addend, result, relu, at + (2 * stride), column);
        if (TRows.Value > 3) Row<L, V, TVectors>(s30, s31, bias, gate, addend, result, relu, at + (3 * stride), column);
        if (TRows.Value > 4) Row<L, V, TVectors>(s40, s41, bias, gate, addend, result, relu, at + (4 * stride), column);
        if (TRows.Value > 5) Row<L, V, TVectors>(s50, s51, bias, gate, addend, result, relu, at + (5 * stride), column);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Row<L, V, TVectors>(V first, V second, float* bias, float* gate, float* addend, float* result, float* relu, nint at, nint column)
        where L : struct, IDenseLanes<V>
        where V : struct
        where TVectors : struct, IDenseNumber
    {
        if (bias != null)
        {
            first = L.Add(first, L.Load(bias + column));
            if (TVectors.Value > 1) second = L.Add(second, L.Load(bias + column + L.Count));
        }
        if (gate != null)
        {
            first = L.Gate(first, L.Load(gate + at));
            if (TVectors.Value > 1) second = L.Gate(second, L.Load(gate + at + L.Count));
        }
        if (addend != null)
        {
            first = L.Add(first, L.Load(addend + at));
            if (TVectors.Value > 1) second = L.Add(second, L.Load(addend + at + L.Count));
        }
        if (result != null)
        {
            L.Store(first, result + at);
            if (TVectors.Value > 1) L.Store(second, result + at + L.Count);
        }
        if (relu == null) return;
        L.Store(L.Relu(first), relu + at);
        if (TVectors.Value > 1) L.Store(L.Relu(second), relu + at + L.Count);
    }
}
