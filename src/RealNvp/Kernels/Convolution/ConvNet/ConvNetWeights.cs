namespace RealNvp.Kernels;

/// <summary>The numbers of a network, contiguous: (M, I, 3, 3), (M), (M, M),
/// (M), (O, M, 3, 3), (O), and the logarithm of the last scale (O).</summary>
internal readonly unsafe struct ConvNetWeights
{
    /// <summary>What the logarithm of the last scale is multiplied by.</summary>
    public const float Speed = 3;

    /// <summary>The largest magnitude of it that has an effect.</summary>
    public const float Limit = 5;

    public float* First { get; init; }
    public float* FirstBias { get; init; }
    public float* Second { get; init; }
    public float* SecondBias { get; init; }
    public float* Last { get; init; }
    public float* LastBias { get; init; }
    public float* Scale { get; init; }

    /// <summary>The elements of <see cref="ScaleLast"/>: a weight and a bias.</summary>
    public static long LastSize(ConvNetShape shape) => ((9L * shape.M) + 1) * shape.O;

    /// <summary>The last weight times its scale exp(3·limited), and behind it the bias times the same.</summary>
    public void ScaleLast(ConvNetShape shape, float* to)
    {
        var each = 9 * shape.M;
        for (var o = 0; o < shape.O; o++)
        {
            var factor = Factor(Scale[o]);
            ImageMath.Scale(Last + ((nint)o * each), to + ((nint)o * each), each, factor);
            to[((nint)shape.O * each) + o] = LastBias[o] * factor;
        }
    }

    /// <summary>From the gradients of the scaled weight and bias those of the
    /// weight, the bias and the scale; the first two in place.</summary>
    public void UnscaleLast(ConvNetShape shape, float* weight, float* bias, float* scale)
    {
        var each = 9 * shape.M;
        for (var o = 0; o < shape.O; o++)
        {
            var factor = Factor(Scale[o]);
            float* gradient = weight + ((nint)o * each), value = Last + ((nint)o * each);
            var along = ((double)ImageMath.Dot(gradient, value, each)) + (bias[o] * LastBias[o]);
            ImageMath.Scale(gradient, gradient, each, factor);
            bias[o] *= factor;
            // beyond its limits nothing moves the scale
            scale[o] = Scale[o] is < -Limit or > Limit ? 0 : (float)(Speed * factor * along);
        }
    }

    /// <summary>The first weight by output, position and channel, as patches are.</summary>
    public void OrderFirst(ConvNetShape shape, float* to)
    {
        var from = First;
        for (var o = 0; o < shape.M; o++, to += shape.Taps)
            for (var c = 0; c < shape.I; c++, from += 9)
                for (var tap = 0; tap < 9; tap++) to[(tap * shape.I) + c] = from[tap];
    }

    /// <summary>A contiguous weight (outputs, inputs, 3, 3) as Winograd's convolutions take it.</summary>
    public static WinogradWeight Taps(float* memory, int inputs) => new((nint)memory, 9 * inputs, 9, 1);

    private static float Factor(float scale) => (float)Math.Exp(Speed * Math.Clamp(scale, -Limit, Limit));
}
