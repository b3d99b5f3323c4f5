using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace RealNvp.Kernels;

/// <summary>Which numbers of a vector count: 1 for each that does, and 0 for the others.</summary>
internal static unsafe class RowWindow<T> where T : unmanaged
{
    private const int Widest = 16;

    /// <summary>What the others take; for a method that the JIT compiles once, who asks for it is one that is compiled again.</summary>
    public static T* Numbers { get; } = New();

    /// <summary>The numbers of a vector from that one on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T* From(T* numbers, nint first) => numbers + Widest - first;

    /// <summary>Those before that one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T* To(T* numbers, nint end) => numbers + (2 * Widest) - end;

    private static T* New()
    {
        var all = (T*)NativeMemory.AlignedAlloc((nuint)(3 * Widest * sizeof(T)), 64);
        for (var i = 0; i < 3 * Widest; i++)
        {
            var one = i / Widest == 1 ? 1 : 0;
            if (typeof(T) == typeof(float)) ((float*)all)[i] = one;
            else ((double*)all)[i] = one;
        }
        return all;
    }
}
