using System.Numerics;
using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>The largest singular value of a matrix by power iteration, from vectors that may be near: a few
/// products with a vector, which as operations of a library cost many times what they compute.</summary>
internal static unsafe class SpectralKernel
{
    /// <summary>Who has to step goes on to this part of the residual that is enough.</summary>
    public const double Further = 0.5;

    /// <summary>A pair with a larger residual knows nothing of the weight: it is new, or the weight is another one.</summary>
    public const double Far = 0.1;

    /// <summary>The ratio of |Wᵀu| to |Wv| from which on a pair has a residual.</summary>
    public static double Enough(double residual) => Math.Sqrt(1 - (residual * residual));

    /// <summary>
    /// Steps until the residual of the pair (u, v) is at most so large, relative to the singular value: with v = Wᵀu/|Wᵀu| and σ = |Wv|,
    /// it is σ·√(1 − (|Wᵀu|/σ)²). From the u that is near enough one step more is taken, which is the only one if u is near at first.
    /// </summary>
    /// <remarks>
    /// The value after that step, f(W) = |Wv| with v = Wᵀu/|Wᵀu|, has the gradient u′vᵀ + uqᵀ, with u′ = Wv/|Wv| and
    /// q = (Wᵀu′ − |Wv|·v)/|Wᵀu|. The second part is small as the residual is, and without it the first is not the gradient of f.
    /// </remarks>
    /// <param name="w">W, (outputs, inputs).</param>
    /// <param name="outputs">The rows.</param>
    /// <param name="inputs">The columns.</param>
    /// <param name="u">Left vector, which is replaced by u′.</param>
    /// <param name="v">Right vector, which is replaced.</param>
    /// <param name="steps">The most steps, at least 1.</param>
    /// <param name="residual">What is small enough.</param>
    /// <param name="start">Receives the u of the last step.</param>
    /// <param name="bend">Receives q.</param>
    /// <returns>|Wv|, and whether the pair was far at first.</returns>
    public static (double Value, bool WasFar) Run<T>(T* w, int outputs, int inputs, T* u, T* v, int steps, double residual, T* start,
        T* bend)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        (double, bool) result = default;
        LaneWidth.Run<Code<T>, T>(new(w, outputs, inputs, u, v, steps, residual, start, bend, &result));
        return result;
    }

    /// <summary>uᵀWv.</summary>
    public static double Value<T>(T* w, int outputs, int inputs, T* u, T* v) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var sum = 0.0;
        for (var o = 0; o < outputs; o++)
            sum += double.CreateTruncating(u[o]) * ResidualVectors.Dot(w + ((nint)o * inputs), v, inputs);
        return sum;
    }

    private readonly struct Code<T>(T* w, int outputs, int inputs, T* u, T* v, int steps, double residual, T* start, T* bend,
        (double Value, bool WasFar)* result) : ILaneCode<T>
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        private const int Rows = 4;

        public void Run<TLanes>() where TLanes : struct, ILanes<TLanes, T>
        {
            var down = (T*)KernelScratch.Own((inputs + (long)outputs) * sizeof(T) / sizeof(float));
            var up = down + inputs;
            Unit(u, u, outputs, Math.Sqrt(ResidualVectors.Dot(u, u, outputs)));
            Begin<TLanes>(down);
            var enough = Enough(residual);
            for (var i = 0; ; i++)
            {
                var (lower, upper) = Step<TLanes>(down, up);
                if (i == 0) result->WasFar = lower < Enough(Far) * upper;
                // a map of zeros has arrived; NaN never does
                if (lower >= enough * upper || i == steps - 1)
                {
                    // with the digits of who begins at this u
                    if (i > 0)
                    {
                        Begin<TLanes>(down);
                        (lower, upper) = Step<TLanes>(down, up);
                    }
                    Finish(down, up, lower, upper);
                    return;
                }
                Unit(up, u, outputs, upper);
                if (i == 0) enough = Enough(residual * Further);
                ResidualVectors.Scale(down, 1 / upper, down, inputs);
            }
        }

        // Wᵀu
        private void Begin<TLanes>(T* down) where TLanes : struct, ILanes<TLanes, T>
        {
            new Span<T>(down, inputs).Clear();
            for (var o = 0; o < outputs; o += Rows) Add<TLanes>(o, u, down);
        }

        // v from Wᵀu; then Wv, and WᵀWv of the next step in the same pass over W
        private (double Lower, double Upper) Step<TLanes>(T* down, T* up) where TLanes : struct, ILanes<TLanes, T>
        {
            var lower = Math.Sqrt(ResidualVectors.Dot(down, down, inputs));
            Unit(down, v, inputs, lower);
            new Span<T>(down, inputs).Clear();
            for (var o = 0; o < outputs; o += Rows)
            {
                Products<TLanes>(o, up);
                Add<TLanes>(o, up, down);
            }
            return (lower, Math.Sqrt(ResidualVectors.Dot(up, up, outputs)));
        }

        private void Finish(T* down, T* up, double lower, double upper)
        {
            new Span<T>(u, outputs).CopyTo(new Span<T>(start, outputs));
            new Span<T>(bend, inputs).Clear();
            result->Value = upper;
            Unit(up, u, outputs, upper);
            if (lower == 0 || upper == 0) return;
            ResidualVectors.Add(down, 1 / (upper * lower), bend, inputs);
            ResidualVectors.Add(v, -upper / lower, bend, inputs);
        }

        // to[o ...] = the products of some rows with v; a row that is missing stands for the last one
        [MethodImpl(MethodImplOptions.NoInlining)]
        private void Products<TLanes>(int o, T* to) where TLanes : struct, ILanes<TLanes, T>
        {
            T* a = w + ((nint)o * inputs), b = Row(o + 1), c = Row(o + 2), d = Row(o + 3), x = v;
            TLanes s0 = TLanes.Zero, s1 = TLanes.Zero, s2 = TLanes.Zero, s3 = TLanes.Zero;
            var i = 0;
            for (; i + TLanes.Count <= inputs; i += TLanes.Count)
            {
                var value = TLanes.Load(x + i);
                TLanes.Accumulate(ref s0, value, TLanes.Load(a + i));
                TLanes.Accumulate(ref s1, value, TLanes.Load(b + i));
                TLanes.Accumulate(ref s2, value, TLanes.Load(c + i));
                TLanes.Accumulate(ref s3, value, TLanes.Load(d + i));
            }
            T r0 = TLanes.Sum(s0), r1 = TLanes.Sum(s1), r2 = TLanes.Sum(s2), r3 = TLanes.Sum(s3);
            for (; i < inputs; i++)
            {
                r0 += x[i] * a[i];
                r1 += x[i] * b[i];
                r2 += x[i] * c[i];
                r3 += x[i] * d[i];
            }
            to[o] = r0;
            if (o + 1 < outputs) to[o + 1] = r1;
            if (o + 2 < outputs) to[o + 2] = r2;
            if (o + 3 < outputs) to[o + 3] = r3;
        }

        // adds the same rows, each times its number
        [MethodImpl(MethodImplOptions.NoInlining)]
        private void Add<TLanes>(int o, T* by, T* to) where TLanes : struct, ILanes<TLanes, T>
        {
            T* a = w + ((nint)o * inputs), b = Row(o + 1), c = Row(o + 2), d = Row(o + 3);
            T f0 = by[o], f1 = o + 1 < outputs ? by[o + 1] : T.Zero, f2 = o + 2 < outputs ? by[o + 2] : T.Zero;
            var f3 = o + 3 < outputs ? by[o + 3] : T.Zero;
            TLanes g0 = TLanes.Create(f0), g1 = TLanes.Create(f1), g2 = TLanes.Create(f2), g3 = TLanes.Create(f3);
            var i = 0;
            for (; i + TLanes.Count <= inputs; i += TLanes.Count)
            {
                var sum = TLanes.Load(to + i);
                TLanes.Accumulate(ref sum, g0, TLanes.Load(a + i));
                TLanes.Accumulate(ref sum, g1, TLanes.Load(b + i));
                TLanes.Accumulate(ref sum, g2, TLanes.Load(c + i));
                TLanes.Accumulate(ref sum, g3, TLanes.Load(d + i));
                TLanes.Store(sum, to + i);
            }
            for (; i < inputs; i++) to[i] += (f0 * a[i]) + (f1 * b[i]) + (f2 * c[i]) + (f3 * d[i]);
        }

        private T* Row(int o) => w + ((nint)Math.Min(o, outputs - 1) * inputs);
    }

    // where a map gives 0 there is no direction, and the one before stays
    private static void Unit<T>(T* vector, T* to, int count, double norm) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        if (norm == 0) return;
        ResidualVectors.Scale(vector, 1 / norm, to, count);
    }
}
