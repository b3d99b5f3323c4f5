using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>
/// An affine map of a vector of elements. Streams: input, parameters (raw scales, shifts), a where the form has it; value, log-derivative.
/// </summary>
internal readonly unsafe struct AffineElement<TLanes>(AffineForm form) : IElementKernel<float> where TLanes : struct, ILanes<TLanes, float>
{
    /// <inheritdoc/>
    public int Scratch => 0;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Run(float** at, nint* steps, float* scratch)
    {
        var output = form.Sigmoid ? 2 : 3;
        var a = form.Sigmoid ? TLanes.Number(1) : TLanes.Load(at[2]);
        var value = AffineMath<TLanes>.Map(form, TLanes.Load(at[0]), TLanes.Load(at[1]), TLanes.Load(at[1] + steps[1]), a, out var s);
        TLanes.Store(value, at[output]);
        TLanes.Store(TLanes.Create(form.Direction) * s, at[output + 1]);
    }
}

/// <summary>
/// The gradients of an affine map. Streams: input, parameters, a where the form has it, gradients of value and of log-derivative; gradients of
/// input and of parameters, and of a where the form has it.
/// </summary>
internal readonly unsafe struct AffineElementGradient<TLanes>(AffineForm form) : IElementKernel<float> where TLanes : struct, ILanes<TLanes, float>
{
    /// <inheritdoc/>
    public int Scratch => 0;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Run(float** at, nint* steps, float* scratch)
    {
        var next = form.Sigmoid ? 2 : 3;
        var a = form.Sigmoid ? TLanes.Number(1) : TLanes.Load(at[2]);
        AffineMath<TLanes>.Gradients(form, TLanes.Load(at[0]), TLanes.Load(at[1]), TLanes.Load(at[1] + steps[1]), a, TLanes.Load(at[next]), TLanes.Load(at[next + 1]), out var found);
        TLanes.Store(found.Input, at[next + 2]);
        TLanes.Store(found.Raw, at[next + 3]);
        TLanes.Store(found.Shift, at[next + 3] + steps[next + 3]);
        if (!form.Sigmoid) TLanes.Store(found.Scale, at[next + 4]);
    }
}
