using System.Numerics;
using System.Runtime.Intrinsics;

namespace RealNvp.Kernels;

/// <summary>Several numbers side by side: what a kernel's body is written over, once for all vector widths and both dtypes.</summary>
/// <remarks>
/// The implementations are structs, so the JIT makes code for each of them with everything inlined. All operations act on each lane
/// alone: an element's result does not depend on its place. A mask is the result of a comparison, for <see cref="Select"/> only.
/// </remarks>
internal unsafe interface ILanes<TSelf, T> where TSelf : struct, ILanes<TSelf, T> where T : unmanaged
{
    static abstract int Count { get; }

    static abstract TSelf Zero { get; }

    static abstract TSelf Create(T value);

    /// <summary>A constant of the code.</summary>
    static abstract TSelf Number(double value);

    static abstract TSelf Load(T* from);

    static abstract void Store(TSelf value, T* to);

    static abstract TSelf operator +(TSelf a, TSelf b);

    static abstract TSelf operator -(TSelf a, TSelf b);

    static abstract TSelf operator *(TSelf a, TSelf b);

    static abstract TSelf operator /(TSelf a, TSelf b);

    static abstract TSelf operator -(TSelf a);

    /// <summary>a b + c, with one rounding where the hardware has that.</summary>
    static abstract TSelf MultiplyAdd(TSelf a, TSelf b, TSelf c);

    /// <summary>sum = a b + sum, in the register that holds the sum: a loop of these needs no moves between registers.</summary>
    static abstract void Accumulate(ref TSelf sum, TSelf a, TSelf b);

    /// <summary>The same with one number for all lanes, which an instruction may read where it lies.</summary>
    static abstract void Accumulate(ref TSelf sum, TSelf a, T* b);

    /// <summary>sum = sum + what lies there, which an instruction may read where it lies.</summary>
    static abstract void Add(ref TSelf sum, T* from);

    static abstract TSelf Sqrt(TSelf a);

    static abstract TSelf Abs(TSelf a);

    /// <summary>The larger one. A NaN in <paramref name="b"/> stays, so the constant goes first.</summary>
    static abstract TSelf Max(TSelf a, TSelf b);

    /// <summary>The smaller one. A NaN in <paramref name="b"/> stays, so the constant goes first.</summary>
    static abstract TSelf Min(TSelf a, TSelf b);

    static abstract TSelf AtLeast(TSelf a, TSelf b);

    static abstract TSelf Above(TSelf a, TSelf b);

    static abstract TSelf Same(TSelf a, TSelf b);

    static abstract TSelf Select(TSelf mask, TSelf yes, TSelf no);

    /// <summary>log(a) for a > 0.</summary>
    static abstract TSelf Log(TSelf a);

    /// <summary>The sum of all lanes, in an order of its own.</summary>
    static abstract T Sum(TSelf a);

    /// <summary>value 2ⁿ, for n in the low bits of <paramref name="shifted"/> and a result that is a normal number.</summary>
    static abstract TSelf Scale(TSelf value, TSelf shifted);
}

/// <summary>How wide the vectors are that kernels use.</summary>
internal static class LaneWidth
{
    /// <summary>512, 256, 128, or 0 for one number at a time. Tests set it; what the hardware lacks is slow but right.</summary>
    public static int Bits { get; set; } =
        Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : Vector128.IsHardwareAccelerated ? 128 : 0;

    /// <summary>Whether vectors are wide enough for the kernels of matrix products;
    /// with narrower ones the operations of a library are faster.</summary>
    public static bool ServesProducts => Bits >= 256;

    /// <summary>The float32 numbers of such a vector.</summary>
    public static int Floats => Math.Max(1, Bits / 32);

    /// <summary>The numbers of such a vector.</summary>
    public static unsafe int Count<T>() where T : unmanaged => Math.Max(1, Bits / 8 / sizeof(T));

    /// <summary>Runs code with lanes of that width.</summary>
    public static void Run<TCode, T>(in TCode code) where TCode : struct, ILaneCode<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        switch (Bits)
        {
            case 512: code.Run<Lanes512<T>>(); break;
            case 256: code.Run<Lanes256<T>>(); break;
            case 128: code.Run<Lanes128<T>>(); break;
            default: code.Run<Lanes1<T>>(); break;
        }
    }
}

/// <summary>Code that is the same for any width of vectors: a struct with its
/// arguments, so that the JIT makes code of its own for each width.</summary>
internal interface ILaneCode<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    void Run<TLanes>() where TLanes : struct, ILanes<TLanes, T>;
}
