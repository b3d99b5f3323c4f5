using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>
/// An affine map of a vector of elements. Streams: input, parameters (raw scales, shifts), a where the form has it; value, log-derivative.
/// </summary>
internal readonly unsafe struct AffineElement<TLanes, T>(AffineForm form) : IElementKernel<T>
    where TLanes : struct, ILanes<TLanes, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly AffineNumbers<T> numbers = new(form);

    /// <inheritdoc/>
    public int Scratch => 0;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Run(T** at, nint* steps, T* scratch)
    {
        var output = numbers.Sigmoid ? 2 : 3;
        var a = numbers.Sigmoid ? TLanes.Number(1) : TLanes.Load(at[2]);
        var value = AffineMath<TLanes, T>.Map(numbers, TLanes.Load(at[0]), TLanes.Load(at[1]), TLanes.Load(at[1] + steps[1]), a, out var s);
        TLanes.Store(value, at[output]);
        TLanes.Store(TLanes.Create(numbers.Direction) * s, at[output + 1]);
    }
}

/// <summary>
/// The gradients of an affine map. Streams: input, parameters, a where the form has it, gradients of
/// value and of log-derivative; gradients of input and of parameters, and of a where the form has it.
/// </summary>
internal readonly unsafe struct AffineElementGradient<TLanes, T>(AffineForm form) : IElementKernel<T>
    where TLanes : struct, ILanes<TLanes, T>
    where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly AffineNumbers<T> numbers = new(form);

    /// <inheritdoc/>
    public int Scratch => 0;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Run(T** at, nint* steps, T* scratch)
    {
        var next = numbers.Sigmoid ? 2 : 3;
        var a = numbers.Sigmoid ? TLanes.Number(1) : TLanes.Load(at[2]);
        AffineMath<TLanes, T>.Gradients(numbers, TLanes.Load(at[0]), TLanes.Load(at[1]), TLanes.Load(at[1] + steps[1]), a,
            TLanes.Load(at[next]), TLanes.Load(at[next + 1]), out var found);
        TLanes.Store(found.Input, at[next + 2]);
        TLanes.Store(found.Raw, at[next + 3]);
        TLanes.Store(found.Shift, at[next + 3] + steps[next + 3]);
        if (!numbers.Sigmoid) TLanes.Store(found.Scale, at[next + 4]);
    }
}
