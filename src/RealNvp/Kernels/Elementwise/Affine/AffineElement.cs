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
    /// <remarks>Each form is a method of its own: both together, or with the loop around them, are more than the compiler
    /// inlines.</remarks>
    public void Run(T** at, nint* steps, T* scratch)
    {
        if (numbers.Sigmoid) OfSigmoid(at, steps);
        else OfTanh(at, steps);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private void OfSigmoid(T** at, nint* steps)
    {
        var value = AffineMath<TLanes, T>.Map(numbers, true, TLanes.Load(at[0]), TLanes.Load(at[1]), TLanes.Load(at[1] + steps[1]),
            TLanes.Number(1), out var s);
        TLanes.Store(value, at[2]);
        TLanes.Store(TLanes.Create(numbers.Direction) * s, at[3]);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private void OfTanh(T** at, nint* steps)
    {
        var value = AffineMath<TLanes, T>.Map(numbers, false, TLanes.Load(at[0]), TLanes.Load(at[1]), TLanes.Load(at[1] + steps[1]),
            TLanes.Load(at[2]), out var s);
        TLanes.Store(value, at[3]);
        TLanes.Store(TLanes.Create(numbers.Direction) * s, at[4]);
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
    /// <remarks>Each form is a method of its own: both together, or with the loop around them, are more than the compiler
    /// inlines.</remarks>
    public void Run(T** at, nint* steps, T* scratch)
    {
        if (numbers.Sigmoid) OfSigmoid(at, steps);
        else OfTanh(at, steps);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private void OfSigmoid(T** at, nint* steps)
    {
        AffineMath<TLanes, T>.Gradients(numbers, true, TLanes.Load(at[0]), TLanes.Load(at[1]), TLanes.Load(at[1] + steps[1]),
            TLanes.Number(1), TLanes.Load(at[2]), TLanes.Load(at[3]), out var found);
        Store(found, at + 4, steps + 4);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private void OfTanh(T** at, nint* steps)
    {
        AffineMath<TLanes, T>.Gradients(numbers, false, TLanes.Load(at[0]), TLanes.Load(at[1]), TLanes.Load(at[1] + steps[1]),
            TLanes.Load(at[2]), TLanes.Load(at[3]), TLanes.Load(at[4]), out var found);
        Store(found, at + 5, steps + 5);
        TLanes.Store(found.Scale, at[7]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(in AffineGradients<TLanes> found, T** to, nint* steps)
    {
        TLanes.Store(found.Input, to[0]);
        TLanes.Store(found.Raw, to[1]);
        TLanes.Store(found.Shift, to[1] + steps[1]);
    }
}
