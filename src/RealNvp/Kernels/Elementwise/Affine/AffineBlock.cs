using System.Runtime.CompilerServices;

namespace RealNvp.Kernels;

/// <summary>The arithmetic of affine maps on a block of elements, whose size is rounded up to whole vectors.</summary>
internal static unsafe class AffineBlock
{
    /// <summary>Elements of a block.</summary>
    public const int Size = 256;

    /// <summary>Writes y to x's place, and returns Σ s of the first <paramref name="count"/> elements.</summary>
    public static float Forward(in AffineForm form, float* x, float* r, float* t, float* a, int count)
    {
        float sum;
        LaneWidth.Run<ForwardCode, float>(new ForwardCode(form, x, r, t, a, count, &sum));
        return sum;
    }

    /// <summary>From x, r, t and gradients of y and of the log-det: writes those of x, r and t in their places, and those of a in a's.</summary>
    public static void Backward(in AffineForm form, float* x, float* r, float* t, float* a, float* gy, float gl, int count) =>
        LaneWidth.Run<BackwardCode, float>(new BackwardCode(form, x, r, t, a, gy, gl, count));

    private readonly struct ForwardCode(AffineForm form, float* x, float* r, float* t, float* a, int count, float* result) : ILaneCode<float>
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<TLanes>() where TLanes : struct, ILanes<TLanes, float>
        {
            // Σ s of whole vectors, then of what is left
            var all = TLanes.Number(0);
            var last = stackalloc float[TLanes.Count];
            float sum = 0;
            for (var i = 0; i < count; i += TLanes.Count)
            {
                var given = form.Sigmoid ? TLanes.Number(1) : TLanes.Load(a + i);
                TLanes.Store(AffineMath<TLanes>.Map(form, TLanes.Load(x + i), TLanes.Load(r + i), TLanes.Load(t + i), given, out var s), x + i);
                if (count - i >= TLanes.Count)
                {
                    all += s;
                    continue;
                }
                TLanes.Store(s, last);
                for (var k = 0; k < count - i; k++) sum += last[k];
            }
            TLanes.Store(all, last);
            for (var k = 0; k < TLanes.Count; k++) sum += last[k];
            *result = sum;
        }
    }

    private readonly struct BackwardCode(AffineForm form, float* x, float* r, float* t, float* a, float* gy, float gl, int count) : ILaneCode<float>
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<TLanes>() where TLanes : struct, ILanes<TLanes, float>
        {
            var logDet = TLanes.Create(gl);
            for (var i = 0; i < count; i += TLanes.Count)
            {
                var given = form.Sigmoid ? TLanes.Number(1) : TLanes.Load(a + i);
                AffineMath<TLanes>.Gradients(form, TLanes.Load(x + i), TLanes.Load(r + i), TLanes.Load(t + i), given, TLanes.Load(gy + i), logDet, out var found);
                TLanes.Store(found.Input, x + i);
                TLanes.Store(found.Raw, r + i);
                TLanes.Store(found.Shift, t + i);
                if (!form.Sigmoid) TLanes.Store(found.Scale, a + i);
            }
        }
    }
}
