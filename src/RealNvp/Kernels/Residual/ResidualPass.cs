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
            if (Gradient == null)
            {
                There<TLanes, TSlopes>(row, 0, whole, isPair);
                There<Lanes1<T>, TRest>(row, whole, Width, isPair);
            }
            else
            {
                if (whole > 0) sum += Back<TLanes, TSlopes>(row, 0, whole, isPair);
                if (whole < Width) sum += Back<Lanes1<T>, TRest>(row, whole, Width, isPair);
            }
        }
        return sum;
    }

    private readonly void There<TLanes, TSlopes>(int row, int start, int end, bool isPair)
        where TLanes : struct, ILanes<TLanes, T>
        where TSlopes : struct, IResidualSlopes<TLanes, T>
    {
        var (factor, beta) = (TLanes.Number(Factor), TLanes.Number(Beta));
        T* from = From + (row * FromStride), to = To + (row * ToStride), shift = ShiftOf(row), bias = Bias;
        nint apart = Rows * FromStride, place = Rows * ToStride;
        for (var i = start; i < end; i += TLanes.Count)
        {
            var a = TLanes.Load(from + i);
            if (bias != null) a += TLanes.Load(bias + i);
            if (shift != null) a += TLanes.Load(shift + i);
            TSlopes.At(a, beta, factor, out var value, out var slope);
            TLanes.Store(value, to + i);
            for (var d = 1; d <= Tangents; d++) TLanes.Store(slope * TLanes.Load(from + (d * apart) + i), to + (d * place) + i);
            if (!isPair) continue;
            TSlopes.At(-a, beta, factor, out value, out slope);
            TLanes.Store(value, to + Width + i);
            for (var d = 1; d <= Tangents; d++)
                TLanes.Store(-slope * TLanes.Load(from + (d * apart) + i), to + (d * place) + Width + i);
        }
    }

    private readonly double Back<TLanes, TSlopes>(int row, int start, int end, bool isPair)
        where TLanes : struct, ILanes<TLanes, T>
        where TSlopes : struct, IResidualSlopes<TLanes, T>
    {
        var (factor, beta) = (TLanes.Number(Factor), TLanes.Number(Beta));
        T* from = From + (row * FromStride), to = To + (row * ToStride), by = Gradient + (row * GradientStride), shift = ShiftOf(row);
        nint apart = Rows * FromStride, place = Rows * ToStride, next = Rows * GradientStride;
        var ofBeta = TLanes.Zero;
        for (var i = start; i < end; i += TLanes.Count)
        {
            var a = TLanes.Load(from + i);
            if (Bias != null) a += TLanes.Load(Bias + i);
            if (shift != null) a += TLanes.Load(shift + i);
            TSlopes.Bend(a, beta, factor, out var value, out var slope, out var bend, out var along);
            var gradient = TLanes.Load(by + i);
            TLanes.Store(value, to + i);
            var sum = TLanes.Zero;
            if (!isPair)
            {
                for (var d = 1; d <= Tangents; d++)
                {
                    var (tangent, g) = (TLanes.Load(from + (d * apart) + i), TLanes.Load(by + (d * next) + i));
                    TLanes.Store(slope * tangent, to + (d * place) + i);
                    sum = TLanes.MultiplyAdd(g, tangent, sum);
                    TLanes.Store(slope * g, by + (d * next) + i);
                }
                TLanes.Store(TLanes.MultiplyAdd(beta * bend, sum, slope * gradient), by + i);
                ofBeta += a * TLanes.MultiplyAdd(bend, sum, a * along * gradient);
                continue;
            }
            // the other half sees −a
            TSlopes.Bend(-a, beta, factor, out var mirrored, out var otherSlope, out var otherBend, out var otherAlong);
            var otherGradient = TLanes.Load(by + Width + i);
            TLanes.Store(mirrored, to + Width + i);
            var otherSum = TLanes.Zero;
            for (var d = 1; d <= Tangents; d++)
            {
                var tangent = TLanes.Load(from + (d * apart) + i);
                var (g, h) = (TLanes.Load(by + (d * next) + i), TLanes.Load(by + (d * next) + Width + i));
                TLanes.Store(slope * tangent, to + (d * place) + i);
                TLanes.Store(-otherSlope * tangent, to + (d * place) + Width + i);
                sum = TLanes.MultiplyAdd(g, tangent, sum);
                otherSum = TLanes.MultiplyAdd(h, tangent, otherSum);
                TLanes.Store((slope * g) - (otherSlope * h), by + (d * next) + i);
            }
            TLanes.Store((slope * gradient) - (otherSlope * otherGradient) + (beta * ((bend * sum) + (otherBend * otherSum))), by + i);
            ofBeta += a * ((bend * sum) + (otherBend * otherSum) + (a * ((along * gradient) + (otherAlong * otherGradient))));
        }
        return ResidualVectors.Total<TLanes, T>(ofBeta);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly T* ShiftOf(int row) => Shift == null ? null : Shift + ((nint)(Places == null ? First + row : Places[row]) * Width);
}
