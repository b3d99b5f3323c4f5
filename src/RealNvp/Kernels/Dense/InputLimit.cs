namespace RealNvp.Kernels;

/// <summary>
/// What a network sees of a number x in place of it: x / √(1 + (x/c)²), nearly
/// x near 0, and within ±c everywhere. Its derivative is (1 + (x/c)²)^(−3/2).
/// </summary>
/// <remarks>
/// A network of relus goes on along a straight line where it has seen no data, so one number far out gives shifts and scales that nothing
/// has taught it. Behind this limit they are what they are at the edge of the data: a coupling is affine in what goes to infinity, and its
/// inverse and its log-determinant are as exact as before, for they ask the network the same. Smooth, monotonic, without an exponential.
/// </remarks>
internal static unsafe class InputLimit
{
    // x/c from which on the result is ±c in any dtype; its square is a number in all of them
    public const double Most = 1e8;

    /// <summary>Of one number.</summary>
    public static float Of(float x, double limit)
    {
        var u = Math.Clamp(x * (float)(1 / limit), (float)-Most, (float)Most);
        return u / MathF.Sqrt((u * u) + 1) * (float)limit;
    }

    /// <summary>The derivative at one number.</summary>
    public static float Derivative(float x, double limit)
    {
        var u = Math.Clamp(x * (float)(1 / limit), (float)-Most, (float)Most);
        var square = (u * u) + 1;
        return 1 / (square * MathF.Sqrt(square));
    }

    /// <summary>Of numbers in their place; a count of whole vectors.</summary>
    public static void Apply(float* x, nint count, double limit) => LaneWidth.Run<Code, float>(new Code(x, null, count, limit));

    /// <summary>Of numbers in their place, and the derivatives there.</summary>
    public static void Apply(float* x, float* derivatives, nint count, double limit) =>
        LaneWidth.Run<Code, float>(new Code(x, derivatives, count, limit));

    private readonly struct Code(float* x, float* derivatives, nint count, double limit) : ILaneCode<float>
    {
        public void Run<TLanes>() where TLanes : struct, ILanes<TLanes, float>
        {
            var (c, one, most, least) = (TLanes.Number(limit), TLanes.Number(1), TLanes.Number(Most), TLanes.Number(-Most));
            var reciprocal = TLanes.Number(1 / limit);
            for (nint i = 0; i < count; i += TLanes.Count)
            {
                var u = TLanes.Max(least, TLanes.Min(most, TLanes.Load(x + i) * reciprocal));
                // as plain operations round, so that both give the same bits
                var square = (u * u) + one;
                var root = TLanes.Sqrt(square);
                TLanes.Store(u / root * c, x + i);
                if (derivatives != null) TLanes.Store(one / (square * root), derivatives + i);
            }
        }
    }
}
