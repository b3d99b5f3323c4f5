using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>An activation of a block of rows: values, tangents that go through with them, and the gradients of both.</summary>
/// <remarks>A matrix of a block has the values of its rows first, then the first tangent of each row, then the second.</remarks>
internal unsafe struct ResidualPass<T> where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    /// <summary>The results of the layer before, without its bias.</summary>
    public T* From;

    public nint FromStride;

    /// <summary>The bias of the layer before, or null.</summary>
    public T* Bias;

    /// <summary>What the rows of the batch add to it, of this width; or null.</summary>
    public T* Shift;

    /// <summary>The place of each row in the batch; null for one after the other from <see cref="First"/> on.</summary>
    public int* Places;

    public int First;

    /// <summary>Gets the activations.</summary>
    public T* To;

    public nint ToStride;

    public int Rows, Tangents, Width;

    public double Beta, Factor;

    /// <summary>The gradients of activations, which become those of what <see cref="From"/> holds; null without gradients.</summary>
    public T* Gradient;

    public nint GradientStride;

    /// <summary>Runs it.</summary>
    /// <param name="kind">Which one.</param>
    /// <returns>The gradient of β.</returns>
    public double Run<TLanes>(ResidualActivation kind) where TLanes : struct, ILanes<TLanes, T> => kind switch
    {
        ResidualActivation.None => All<TLanes, NoSlopes<TLanes, T>, NoSlopes<Lanes1<T>, T>>(isPair: false),
        ResidualActivation.Elu => All<TLanes, EluSlopes<TLanes, T>, EluSlopes<Lanes1<T>, T>>(isPair: false),
        ResidualActivation.Swish => All<TLanes, SwishSlopes<TLanes, T>, SwishSlopes<Lanes1<T>, T>>(isPair: false),
        _ => All<TLanes, SwishSlopes<TLanes, T>, SwishSlopes<Lanes1<T>, T>>(isPair: true),
    };

    private double All<TLanes, TSlopes, TRest>(bool isPair)
        where TLanes : struct, ILanes<TLanes, T>
        where TSlopes : struct, IResidualSlopes<TLanes, T>
        where TRest : struct, IResidualSlopes<Lanes1<T>, T>
    {
        var whole = Width / TLanes.Count * TLanes.Count;
        var sum = 0.0;
        for (var row = 0; row < Rows; row++)
        {
            if (whole > 0) sum += Part<TLanes, TSlopes>(row, 0, whole, isPair);
            if (whole < Width) sum += Part<Lanes1<T>, TRest>(row, whole, Width, isPair);
        }
        return sum;
    }

    private readonly double Part<TLanes, TSlopes>(int row, int start, int end, bool isPair)
        where TLanes : struct, ILanes<TLanes, T>
        where TSlopes : struct, IResidualSlopes<TLanes, T>
    {
        if (Gradient != null)
            return isPair ? BackPair<TLanes, TSlopes>(row, start, end) : Back<TLanes, TSlopes>(row, start, end);
        if (Tangents == 0)
        {
            Values<TLanes, TSlopes>(row, start, end, TLanes.Number(1), 0);
            if (isPair) Values<TLanes, TSlopes>(row, start, end, TLanes.Number(-1), Width);
            return 0;
        }
        There<TLanes, TSlopes>(row, start, end, TLanes.Number(1), 0);
        // the other half sees −a
        if (isPair) There<TLanes, TSlopes>(row, start, end, TLanes.Number(-1), Width);
        return 0;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private readonly void Values<TLanes, TSlopes>(int row, int start, int end, TLanes sign, int column)
        where TLanes : struct, ILanes<TLanes, T>
        where TSlopes : struct, IResidualSlopes<TLanes, T>
    {
        TLanes factor = TLanes.Number(Factor), beta = TLanes.Number(Beta);
        T* from = From + (row * FromStride), to = To + (row * ToStride) + column, shift = ShiftOf(row), bias = Bias;
        for (var i = start; i < end; i += TLanes.Count)
        {
            var a = TLanes.Load(from + i);
            if (bias != null) a += TLanes.Load(bias + i);
            if (shift != null) a += TLanes.Load(shift + i);
            TLanes.Store(TSlopes.Value(a * sign, beta, factor), to + i);
        }
    }

    // none of these is inlined: the compiler inlines only so much into one method, and the rest would be calls for each vector
    [MethodImpl(MethodImplOptions.NoInlining)]
    private readonly void There<TLanes, TSlopes>(int row, int start, int end, TLanes sign, int column)
        where TLanes : struct, ILanes<TLanes, T>
        where TSlopes : struct, IResidualSlopes<TLanes, T>
    {
        TLanes factor = TLanes.Number(Factor), beta = TLanes.Number(Beta);
        T* from = From + (row * FromStride), to = To + (row * ToStride) + column, shift = ShiftOf(row), bias = Bias;
        nint apart = Rows * FromStride, place = Rows * ToStride;
        var tangents = Tangents;
        for (var i = start; i < end; i += TLanes.Count)
        {
            var a = TLanes.Load(from + i);
            if (bias != null) a += TLanes.Load(bias + i);
            if (shift != null) a += TLanes.Load(shift + i);
            TSlopes.At(a * sign, beta, factor, out var value, out var slope);
            TLanes.Store(value, to + i);
            slope *= sign;
            T* tangent = from + i, pushed = to + i;
            for (var d = 0; d < tangents; d++)
            {
                tangent += apart;
                pushed += place;
                TLanes.Store(slope * TLanes.Load(tangent), pushed);
            }
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private readonly double Back<TLanes, TSlopes>(int row, int start, int end)
        where TLanes : struct, ILanes<TLanes, T>
        where TSlopes : struct, IResidualSlopes<TLanes, T>
    {
        TLanes factor = TLanes.Number(Factor), beta = TLanes.Number(Beta);
        T* from = From + (row * FromStride), to = To + (row * ToStride), by = Gradient + (row * GradientStride), shift = ShiftOf(row);
        nint apart = Rows * FromStride, place = Rows * ToStride, next = Rows * GradientStride;
        var (bias, tangents) = ((nint)Bias, Tangents);
        var ofBeta = TLanes.Zero;
        for (var i = start; i < end; i += TLanes.Count)
        {
            var a = TLanes.Load(from + i);
            if (bias != 0) a += TLanes.Load((T*)bias + i);
            if (shift != null) a += TLanes.Load(shift + i);
            TSlopes.Bend(a, beta, factor, out var value, out var slope, out var bend, out var along);
            TLanes.Store(value, to + i);
            var sum = TLanes.Zero;
            T* tangent = from + i, pushed = to + i, gradients = by + i;
            for (var d = 0; d < tangents; d++)
            {
                tangent += apart;
                pushed += place;
                gradients += next;
                TLanes t = TLanes.Load(tangent), g = TLanes.Load(gradients);
                TLanes.Store(slope * t, pushed);
                TLanes.Accumulate(ref sum, g, t);
                TLanes.Store(slope * g, gradients);
            }
            var gradient = TLanes.Load(by + i);
            TLanes.Store(TLanes.MultiplyAdd(beta * bend, sum, slope * gradient), by + i);
            ofBeta += a * TLanes.MultiplyAdd(bend, sum, a * along * gradient);
        }
        return ResidualVectors.Total<TLanes, T>(ofBeta);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private readonly double BackPair<TLanes, TSlopes>(int row, int start, int end)
        where TLanes : struct, ILanes<TLanes, T>
        where TSlopes : struct, IResidualSlopes<TLanes, T>
    {
        TLanes factor = TLanes.Number(Factor), beta = TLanes.Number(Beta);
        T* from = From + (row * FromStride), to = To + (row * ToStride), by = Gradient + (row * GradientStride), shift = ShiftOf(row);
        nint apart = Rows * FromStride, place = Rows * ToStride, next = Rows * GradientStride;
        var ofBeta = TLanes.Zero;
        for (var i = start; i < end; i += TLanes.Count)
        {
            var a = TLanes.Load(from + i);
            if (Bias != null) a += TLanes.Load(Bias + i);
            if (shift != null) a += TLanes.Load(shift + i);
            TSlopes.Bend(a, beta, factor, out var value, out var slope, out var bend, out var along);
            TSlopes.Bend(-a, beta, factor, out var mirrored, out var otherSlope, out var otherBend, out var otherAlong);
            TLanes.Store(value, to + i);
            TLanes.Store(mirrored, to + Width + i);
            TLanes sum = TLanes.Zero, otherSum = TLanes.Zero;
            for (var d = 1; d <= Tangents; d++)
            {
                var t = TLanes.Load(from + (d * apart) + i);
                TLanes g = TLanes.Load(by + (d * next) + i), h = TLanes.Load(by + (d * next) + Width + i);
                TLanes.Store(slope * t, to + (d * place) + i);
                TLanes.Store(-otherSlope * t, to + (d * place) + Width + i);
                TLanes.Accumulate(ref sum, g, t);
                TLanes.Accumulate(ref otherSum, h, t);
                TLanes.Store((slope * g) - (otherSlope * h), by + (d * next) + i);
            }
            TLanes gradient = TLanes.Load(by + i), otherGradient = TLanes.Load(by + Width + i);
            var bent = (bend * sum) + (otherBend * otherSum);
            TLanes.Store((slope * gradient) - (otherSlope * otherGradient) + (beta * bent), by + i);
            ofBeta += a * (bent + (a * ((along * gradient) + (otherAlong * otherGradient))));
        }
        return ResidualVectors.Total<TLanes, T>(ofBeta);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly T* ShiftOf(int row) => Shift == null ? null : Shift + ((nint)(Places == null ? First + row : Places[row]) * Width);
}
