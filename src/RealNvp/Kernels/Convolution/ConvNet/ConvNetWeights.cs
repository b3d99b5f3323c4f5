namespace RealNvp.Kernels;

/// <summary>The numbers of a network, contiguous: (M, I, 3, 3), (M), (M, M),
/// (M), (O, M, 3, 3), (O), and the logarithm of the last scale (O).</summary>
internal readonly unsafe struct ConvNetWeights
{
    /// <summary>What the logarithm of the last scale is multiplied by.</summary>
    public const float Speed = 3;

    /// <summary>The largest magnitude of it that has an effect.</summary>
    public const float Limit = 5;

    // what a number of a weight costs that is read and written, or that changes its place alone, in multiply-adds
    private const double MoveWork = 32, OrderWork = 128;

    public float* First { get; init; }
    public float* FirstBias { get; init; }
    public float* Second { get; init; }
    public float* SecondBias { get; init; }
    public float* Last { get; init; }
    public float* LastBias { get; init; }
    public float* Scale { get; init; }

    /// <summary>All seven in their order.</summary>
    public static ConvNetWeights Of(float** all) => new()
    {
        First = all[0], FirstBias = all[1], Second = all[2], SecondBias = all[3], Last = all[4], LastBias = all[5], Scale = all[6],
    };

    /// <summary>The elements of <see cref="ScaleLast"/>: a weight and a bias.</summary>
    public static long LastSize(ConvNetShape shape) => ((9L * shape.M) + 1) * shape.O;

    /// <summary>The last weight times its scale exp(3·limited), and behind it the bias times the same.</summary>
    public void ScaleLast(ConvNetShape shape, float* to)
    {
        var (each, given) = (9 * shape.M, this);
        KernelThreads.For(shape.O, MoveWork * shape.O * each, DenseCall.Grain, (start, end) =>
        {
            for (var o = (nint)start; o < end; o++)
            {
                var factor = Factor(given.Scale[o]);
                ImageMath.Scale(given.Last + (o * each), to + (o * each), each, factor);
                to[((nint)shape.O * each) + o] = given.LastBias[o] * factor;
            }
        });
    }

    /// <summary>From the gradients of the scaled weight and bias those of the
    /// weight, the bias and the scale; the first two in place.</summary>
    public void UnscaleLast(ConvNetShape shape, float* weight, float* bias, float* scale)
    {
        var (each, given) = (9 * shape.M, this);
        KernelThreads.For(shape.O, 2 * MoveWork * shape.O * each, DenseCall.Grain, (start, end) =>
        {
            for (var o = (nint)start; o < end; o++)
            {
                var factor = Factor(given.Scale[o]);
                float* gradient = weight + (o * each), value = given.Last + (o * each);
                var along = ((double)ImageMath.Dot(gradient, value, each)) + (bias[o] * given.LastBias[o]);
                ImageMath.Scale(gradient, gradient, each, factor);
                bias[o] *= factor;
                // beyond its limits nothing moves the scale
                scale[o] = given.Scale[o] is < -Limit or > Limit ? 0 : (float)(Speed * factor * along);
            }
        });
    }

    /// <summary>Packs both inner weights for x·Wᵀ, or for g·W.</summary>
    /// <param name="shape">The sizes.</param>
    /// <param name="cut">The panels.</param>
    /// <param name="backward">Whether for g·W.</param>
    /// <param name="ordered">Memory for the first weight by output, position and channel, as patches are.</param>
    /// <param name="first">Gets the first one.</param>
    /// <param name="second">Gets the second one.</param>
    public void PackInner(ConvNetShape shape, DensePanels cut, bool backward, float* ordered, float* first, float* second)
    {
        var (given, m, taps) = (this, shape.M, shape.Taps);
        KernelThreads.For(m, OrderWork * m * taps, DenseCall.Grain, (start, end) => given.OrderFirst(shape, ordered, start, end));
        KernelThreads.For(2, MoveWork * m * (taps + m), DenseCall.Grain, (start, end) =>
        {
            for (var which = start; which < end; which++)
            {
                float* weight = which == 0 ? ordered : given.Second, to = which == 0 ? first : second;
                var inputs = which == 0 ? taps : m;
                if (backward) DensePacking.Backward(weight, null, inputs, m, inputs, cut, to);
                else DensePacking.Forward(weight, null, inputs, m, inputs, cut, to);
            }
        });
    }

    private void OrderFirst(ConvNetShape shape, float* to, long start, long end)
    {
        for (var o = start; o < end; o++)
        {
            float* from = First + (o * shape.Taps), row = to + (o * shape.Taps);
            for (var c = 0; c < shape.I; c++, from += 9)
                for (var tap = 0; tap < 9; tap++) row[(tap * shape.I) + c] = from[tap];
        }
    }

    /// <summary>A contiguous weight (outputs, inputs, 3, 3) as Winograd's convolutions take it.</summary>
    public static WinogradWeight Taps(float* memory, int inputs) => new((nint)memory, 9 * inputs, 9, 1);

    private static float Factor(float scale) => (float)Math.Exp(Speed * Math.Clamp(scale, -Limit, Limit));
}
