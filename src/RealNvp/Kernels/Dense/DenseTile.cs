using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>The innermost part of all products: some rows times some vectors, summed in registers.</summary>
/// <remarks>
/// <para>Six rows of two vectors need 12 sums, 2 vectors of the right side and 1 of the left: they fit the 16 registers of AVX2, and 12
/// chains of additions are enough to hide the latency of a multiply-add.</para>
/// <para>Vectors of 512 bits have 32 registers: six rows of four vectors. What counts there is how many instructions come with a
/// multiply-add: while somebody else uses the other half of a core, fewer begin in a cycle, which a loop of nothing but multiply-adds
/// does not notice. Two steps of six rows of four are 48 multiply-adds, 8 loads, 12 copies of a number to all lanes, and 5 others.</para>
/// </remarks>
internal static unsafe class DenseTile
{
    /// <summary>The rows of a tile, its vectors, and its vectors if they have 512 bits.</summary>
    public const int Rows = 6, Vectors = 2, WideVectors = 4;

    /// <summary>The rows of <see cref="Tall"/>, and the steps from which on it is the faster one.</summary>
    public const int TallRows = 12, TallSteps = 128;

    /// <summary>Σ over steps of a[row·<paramref name="aRow"/> + step·<paramref name="aStep"/>]·b[step·<paramref name="bStep"/>
    /// + column], finished at <paramref name="at"/> (row 0) and <paramref name="column"/>.</summary>
    /// <remarks>Sums that are not the result themselves go through memory at the end: a compiler that has them in registers beyond the
    /// loop keeps some of them in memory within it too, and what becomes of each row in its own code would be more than it
    /// inlines.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
    public static void Run<TLanes, T, TRows, TVectors>(T* a, nint aRow, nint aStep, T* b, nint bStep, nint steps, DenseFinish<T>* finish,
        nint at, nint column)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
        where TRows : struct, IDenseNumber
        where TVectors : struct, IDenseNumber
    {
        TLanes s00 = TLanes.Zero, s10 = TLanes.Zero, s20 = TLanes.Zero, s30 = TLanes.Zero, s40 = TLanes.Zero, s50 = TLanes.Zero;
        TLanes s01 = TLanes.Zero, s11 = TLanes.Zero, s21 = TLanes.Zero, s31 = TLanes.Zero, s41 = TLanes.Zero, s51 = TLanes.Zero;
        TLanes s02 = TLanes.Zero, s12 = TLanes.Zero, s22 = TLanes.Zero, s32 = TLanes.Zero, s42 = TLanes.Zero, s52 = TLanes.Zero;
        TLanes s03 = TLanes.Zero, s13 = TLanes.Zero, s23 = TLanes.Zero, s33 = TLanes.Zero, s43 = TLanes.Zero, s53 = TLanes.Zero;
        nint row2 = 2 * aRow, row3 = 3 * aRow, row4 = 4 * aRow, row5 = 5 * aRow, lanes = TLanes.Count;
        for (; steps > 1; steps -= 2)
        {
            Step<TLanes, T, TRows, TVectors>(ref s00, ref s01, ref s02, ref s03, ref s10, ref s11, ref s12, ref s13,
                ref s20, ref s21, ref s22, ref s23, ref s30, ref s31, ref s32, ref s33,
                ref s40, ref s41, ref s42, ref s43, ref s50, ref s51, ref s52, ref s53,
                a, aRow, row2, row3, row4, row5, b, lanes);
            a += aStep;
            b += bStep;
            Step<TLanes, T, TRows, TVectors>(ref s00, ref s01, ref s02, ref s03, ref s10, ref s11, ref s12, ref s13,
                ref s20, ref s21, ref s22, ref s23, ref s30, ref s31, ref s32, ref s33,
                ref s40, ref s41, ref s42, ref s43, ref s50, ref s51, ref s52, ref s53,
                a, aRow, row2, row3, row4, row5, b, lanes);
            a += aStep;
            b += bStep;
        }
        if (steps > 0)
            Step<TLanes, T, TRows, TVectors>(ref s00, ref s01, ref s02, ref s03, ref s10, ref s11, ref s12, ref s13,
                ref s20, ref s21, ref s22, ref s23, ref s30, ref s31, ref s32, ref s33,
                ref s40, ref s41, ref s42, ref s43, ref s50, ref s51, ref s52, ref s53,
                a, aRow, row2, row3, row4, row5, b, lanes);
        var sums = stackalloc T[Rows * WideVectors * TLanes.Count];
        var done = finish->Bias == null && finish->Gate == null && finish->Addend == null && finish->Relu == null;
        KeepRows<TLanes, T, TRows, TVectors>(s00, s01, s02, s03, s10, s11, s12, s13, s20, s21, s22, s23,
            s30, s31, s32, s33, s40, s41, s42, s43, s50, s51, s52, s53, done ? finish->Result + at + column : sums,
            done ? finish->Stride : TVectors.Value * lanes, lanes);
        if (!done) Finish<TLanes, T, TVectors>(sums, TRows.Value, finish, at + column, column);
    }

    /// <summary>As <see cref="Run"/>, for twelve rows of two vectors of 512 bits, whose panel is narrow.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
    public static void Tall<TLanes, T>(T* a, nint aRow, nint aStep, T* b, nint bStep, nint steps, DenseFinish<T>* finish, nint at,
        nint column)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        TLanes s00 = TLanes.Zero, s10 = TLanes.Zero, s20 = TLanes.Zero, s30 = TLanes.Zero, s40 = TLanes.Zero, s50 = TLanes.Zero;
        TLanes s60 = TLanes.Zero, s70 = TLanes.Zero, s80 = TLanes.Zero, s90 = TLanes.Zero, sA0 = TLanes.Zero, sB0 = TLanes.Zero;
        TLanes s01 = TLanes.Zero, s11 = TLanes.Zero, s21 = TLanes.Zero, s31 = TLanes.Zero, s41 = TLanes.Zero, s51 = TLanes.Zero;
        TLanes s61 = TLanes.Zero, s71 = TLanes.Zero, s81 = TLanes.Zero, s91 = TLanes.Zero, sA1 = TLanes.Zero, sB1 = TLanes.Zero;
        nint row2 = 2 * aRow, row3 = 3 * aRow, row4 = 4 * aRow, row5 = 5 * aRow, lanes = TLanes.Count;
        var none = TLanes.Zero;
        var low = a + (6 * aRow);
        for (; steps > 0; steps--)
        {
            TLanes b0 = TLanes.Load(b), b1 = TLanes.Load(b + TLanes.Count);
            Add<TLanes, T, Dense2>(ref s00, ref s01, ref none, ref none, a, b0, b1, b0, b1);
            Add<TLanes, T, Dense2>(ref s10, ref s11, ref none, ref none, a + aRow, b0, b1, b0, b1);
            Add<TLanes, T, Dense2>(ref s20, ref s21, ref none, ref none, a + row2, b0, b1, b0, b1);
            Add<TLanes, T, Dense2>(ref s30, ref s31, ref none, ref none, a + row3, b0, b1, b0, b1);
            Add<TLanes, T, Dense2>(ref s40, ref s41, ref none, ref none, a + row4, b0, b1, b0, b1);
            Add<TLanes, T, Dense2>(ref s50, ref s51, ref none, ref none, a + row5, b0, b1, b0, b1);
            Add<TLanes, T, Dense2>(ref s60, ref s61, ref none, ref none, low, b0, b1, b0, b1);
            Add<TLanes, T, Dense2>(ref s70, ref s71, ref none, ref none, low + aRow, b0, b1, b0, b1);
            Add<TLanes, T, Dense2>(ref s80, ref s81, ref none, ref none, low + row2, b0, b1, b0, b1);
            Add<TLanes, T, Dense2>(ref s90, ref s91, ref none, ref none, low + row3, b0, b1, b0, b1);
            Add<TLanes, T, Dense2>(ref sA0, ref sA1, ref none, ref none, low + row4, b0, b1, b0, b1);
            Add<TLanes, T, Dense2>(ref sB0, ref sB1, ref none, ref none, low + row5, b0, b1, b0, b1);
            a += aStep;
            low += aStep;
            b += bStep;
        }
        var sums = stackalloc T[TallRows * Vectors * TLanes.Count];
        Keep<TLanes, T, Dense2>(s00, s01, none, none, sums + (0 * TLanes.Count), lanes);
        Keep<TLanes, T, Dense2>(s10, s11, none, none, sums + (2 * TLanes.Count), lanes);
        Keep<TLanes, T, Dense2>(s20, s21, none, none, sums + (4 * TLanes.Count), lanes);
        Keep<TLanes, T, Dense2>(s30, s31, none, none, sums + (6 * TLanes.Count), lanes);
        Keep<TLanes, T, Dense2>(s40, s41, none, none, sums + (8 * TLanes.Count), lanes);
        Keep<TLanes, T, Dense2>(s50, s51, none, none, sums + (10 * TLanes.Count), lanes);
        Keep<TLanes, T, Dense2>(s60, s61, none, none, sums + (12 * TLanes.Count), lanes);
        Keep<TLanes, T, Dense2>(s70, s71, none, none, sums + (14 * TLanes.Count), lanes);
        Keep<TLanes, T, Dense2>(s80, s81, none, none, sums + (16 * TLanes.Count), lanes);
        Keep<TLanes, T, Dense2>(s90, s91, none, none, sums + (18 * TLanes.Count), lanes);
        Keep<TLanes, T, Dense2>(sA0, sA1, none, none, sums + (20 * TLanes.Count), lanes);
        Keep<TLanes, T, Dense2>(sB0, sB1, none, none, sums + (22 * TLanes.Count), lanes);
        Finish<TLanes, T, Dense2>(sums, TallRows, finish, at + column, column);
    }

    /// <summary>What becomes of the sums of a row of vectors, which have so many lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Row<TLanes, T, TVectors>(TLanes s0, TLanes s1, TLanes s2, TLanes s3, T* bias, T* gate, T* addend,
        T* result, T* relu, nint at, nint column, nint lanes)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
        where TVectors : struct, IDenseNumber
    {
        if (bias != null) Plus<TLanes, T, TVectors>(ref s0, ref s1, ref s2, ref s3, bias + column, lanes);
        if (gate != null) Gate<TLanes, T, TVectors>(ref s0, ref s1, ref s2, ref s3, gate + at, lanes);
        if (addend != null) Plus<TLanes, T, TVectors>(ref s0, ref s1, ref s2, ref s3, addend + at, lanes);
        if (result != null) Keep<TLanes, T, TVectors>(s0, s1, s2, s3, result + at, lanes);
        if (relu == null) return;
        Relu<TLanes, T, TVectors>(ref s0, ref s1, ref s2, ref s3);
        Keep<TLanes, T, TVectors>(s0, s1, s2, s3, relu + at, lanes);
    }

    // what becomes of sums that are in memory
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish<TLanes, T, TVectors>(T* sums, int rows, DenseFinish<T>* finish, nint at, nint column)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
        where TVectors : struct, IDenseNumber
    {
        T* bias = finish->Bias, gate = finish->Gate, addend = finish->Addend, result = finish->Result, relu = finish->Relu;
        nint lanes = TLanes.Count;
        for (var row = 0; row < rows; row++, sums += TVectors.Value * lanes, at += finish->Stride)
        {
            TLanes s1 = default, s2 = default, s3 = default;
            Load<TLanes, T, TVectors>(out var s0, ref s1, ref s2, ref s3, sums, lanes);
            Row<TLanes, T, TVectors>(s0, s1, s2, s3, bias, gate, addend, result, relu, at, column, lanes);
        }
    }

    // a column of the left side times a row of the right one. That a tile has a row or a vector is asked of types, which the compiler
    // knows before it inlines anything: numbers would each be a call to inline, and from some number of calls on it inlines no more
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step<TLanes, T, TRows, TVectors>(ref TLanes s00, ref TLanes s01, ref TLanes s02, ref TLanes s03,
        ref TLanes s10, ref TLanes s11, ref TLanes s12, ref TLanes s13, ref TLanes s20, ref TLanes s21, ref TLanes s22, ref TLanes s23,
        ref TLanes s30, ref TLanes s31, ref TLanes s32, ref TLanes s33, ref TLanes s40, ref TLanes s41, ref TLanes s42, ref TLanes s43,
        ref TLanes s50, ref TLanes s51, ref TLanes s52, ref TLanes s53,
        T* a, nint row1, nint row2, nint row3, nint row4, nint row5, T* b, nint lanes)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged
        where TRows : struct, IDenseNumber
        where TVectors : struct, IDenseNumber
    {
        TLanes b1 = default, b2 = default, b3 = default;
        Load<TLanes, T, TVectors>(out var b0, ref b1, ref b2, ref b3, b, lanes);
        Add<TLanes, T, TVectors>(ref s00, ref s01, ref s02, ref s03, a, b0, b1, b2, b3);
        if (typeof(TRows) == typeof(Dense1)) return;
        Add<TLanes, T, TVectors>(ref s10, ref s11, ref s12, ref s13, a + row1, b0, b1, b2, b3);
        if (typeof(TRows) == typeof(Dense2)) return;
        Add<TLanes, T, TVectors>(ref s20, ref s21, ref s22, ref s23, a + row2, b0, b1, b2, b3);
        if (typeof(TRows) == typeof(Dense3)) return;
        Add<TLanes, T, TVectors>(ref s30, ref s31, ref s32, ref s33, a + row3, b0, b1, b2, b3);
        if (typeof(TRows) == typeof(Dense4)) return;
        Add<TLanes, T, TVectors>(ref s40, ref s41, ref s42, ref s43, a + row4, b0, b1, b2, b3);
        if (typeof(TRows) == typeof(Dense5)) return;
        Add<TLanes, T, TVectors>(ref s50, ref s51, ref s52, ref s53, a + row5, b0, b1, b2, b3);
    }

    // a number of the left side times a row of the right one
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Add<TLanes, T, TVectors>(ref TLanes s0, ref TLanes s1, ref TLanes s2, ref TLanes s3, T* a, TLanes b0, TLanes b1,
        TLanes b2, TLanes b3)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged
        where TVectors : struct, IDenseNumber
    {
        var x = TLanes.Create(*a);
        TLanes.Accumulate(ref s0, x, b0);
        if (typeof(TVectors) == typeof(Dense1)) return;
        TLanes.Accumulate(ref s1, x, b1);
        if (typeof(TVectors) == typeof(Dense2)) return;
        TLanes.Accumulate(ref s2, x, b2);
        if (typeof(TVectors) == typeof(Dense3)) return;
        TLanes.Accumulate(ref s3, x, b3);
    }

    // the sums of a tile, rows so far apart
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void KeepRows<TLanes, T, TRows, TVectors>(TLanes s00, TLanes s01, TLanes s02, TLanes s03,
        TLanes s10, TLanes s11, TLanes s12, TLanes s13, TLanes s20, TLanes s21, TLanes s22, TLanes s23,
        TLanes s30, TLanes s31, TLanes s32, TLanes s33, TLanes s40, TLanes s41, TLanes s42, TLanes s43,
        TLanes s50, TLanes s51, TLanes s52, TLanes s53,
        T* to, nint row, nint lanes)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged
        where TRows : struct, IDenseNumber
        where TVectors : struct, IDenseNumber
    {
        Keep<TLanes, T, TVectors>(s00, s01, s02, s03, to, lanes);
        if (typeof(TRows) == typeof(Dense1)) return;
        Keep<TLanes, T, TVectors>(s10, s11, s12, s13, to + row, lanes);
        if (typeof(TRows) == typeof(Dense2)) return;
        Keep<TLanes, T, TVectors>(s20, s21, s22, s23, to + (2 * row), lanes);
        if (typeof(TRows) == typeof(Dense3)) return;
        Keep<TLanes, T, TVectors>(s30, s31, s32, s33, to + (3 * row), lanes);
        if (typeof(TRows) == typeof(Dense4)) return;
        Keep<TLanes, T, TVectors>(s40, s41, s42, s43, to + (4 * row), lanes);
        if (typeof(TRows) == typeof(Dense5)) return;
        Keep<TLanes, T, TVectors>(s50, s51, s52, s53, to + (5 * row), lanes);
    }

    // the vectors of a row
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Load<TLanes, T, TVectors>(out TLanes s0, ref TLanes s1, ref TLanes s2, ref TLanes s3, T* from, nint lanes)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged
        where TVectors : struct, IDenseNumber
    {
        s0 = TLanes.Load(from);
        if (typeof(TVectors) == typeof(Dense1)) return;
        s1 = TLanes.Load(from + lanes);
        if (typeof(TVectors) == typeof(Dense2)) return;
        s2 = TLanes.Load(from + (2 * lanes));
        if (typeof(TVectors) == typeof(Dense3)) return;
        s3 = TLanes.Load(from + (3 * lanes));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Plus<TLanes, T, TVectors>(ref TLanes s0, ref TLanes s1, ref TLanes s2, ref TLanes s3, T* from, nint lanes)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged
        where TVectors : struct, IDenseNumber
    {
        TLanes.Add(ref s0, from);
        if (typeof(TVectors) == typeof(Dense1)) return;
        TLanes.Add(ref s1, from + lanes);
        if (typeof(TVectors) == typeof(Dense2)) return;
        TLanes.Add(ref s2, from + (2 * lanes));
        if (typeof(TVectors) == typeof(Dense3)) return;
        TLanes.Add(ref s3, from + (3 * lanes));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Gate<TLanes, T, TVectors>(ref TLanes s0, ref TLanes s1, ref TLanes s2, ref TLanes s3, T* by, nint lanes)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
        where TVectors : struct, IDenseNumber
    {
        s0 = LaneMath<TLanes, T>.Gate(s0, TLanes.Load(by));
        if (typeof(TVectors) == typeof(Dense1)) return;
        s1 = LaneMath<TLanes, T>.Gate(s1, TLanes.Load(by + lanes));
        if (typeof(TVectors) == typeof(Dense2)) return;
        s2 = LaneMath<TLanes, T>.Gate(s2, TLanes.Load(by + (2 * lanes)));
        if (typeof(TVectors) == typeof(Dense3)) return;
        s3 = LaneMath<TLanes, T>.Gate(s3, TLanes.Load(by + (3 * lanes)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Relu<TLanes, T, TVectors>(ref TLanes s0, ref TLanes s1, ref TLanes s2, ref TLanes s3)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
        where TVectors : struct, IDenseNumber
    {
        s0 = LaneMath<TLanes, T>.Relu(s0);
        if (typeof(TVectors) == typeof(Dense1)) return;
        s1 = LaneMath<TLanes, T>.Relu(s1);
        if (typeof(TVectors) == typeof(Dense2)) return;
        s2 = LaneMath<TLanes, T>.Relu(s2);
        if (typeof(TVectors) == typeof(Dense3)) return;
        s3 = LaneMath<TLanes, T>.Relu(s3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Keep<TLanes, T, TVectors>(TLanes s0, TLanes s1, TLanes s2, TLanes s3, T* to, nint lanes)
        where TLanes : struct, ILanes<TLanes, T>
        where T : unmanaged
        where TVectors : struct, IDenseNumber
    {
        TLanes.Store(s0, to);
        if (typeof(TVectors) == typeof(Dense1)) return;
        TLanes.Store(s1, to + lanes);
        if (typeof(TVectors) == typeof(Dense2)) return;
        TLanes.Store(s2, to + (2 * lanes));
        if (typeof(TVectors) == typeof(Dense3)) return;
        TLanes.Store(s3, to + (3 * lanes));
    }
}
