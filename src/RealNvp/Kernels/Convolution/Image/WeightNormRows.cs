namespace RealNvp.Kernels;

/// <summary>The weight w = g · v/‖v‖ of a convolution with weight normalization, v as (O, I, taps) and w as (O, taps, I); and its
/// gradients.</summary>
internal static unsafe class WeightNormRows
{
    /// <summary>A direction of length 0 has no norm to divide by; this small floor of ‖v‖² keeps it and its gradient finite.</summary>
    public const float SmallestSquare = 1e-30f;

    /// <summary>w.</summary>
    public static void Run(float* v, float* g, float* w, int outputs, int inputs, int taps)
    {
        var each = inputs * taps;
        KernelThreads.For(outputs, (double)outputs * each, 1 << 14, (start, end) =>
        {
            for (var o = start; o < end; o++)
            {
                float* from = v + (o * each), to = w + (o * each);
                var scale = g[o] / MathF.Sqrt(Math.Max(ImageMath.Dot(from, from, each), SmallestSquare));
                for (var tap = 0; tap < taps; tap++, to += inputs)
                    for (var i = 0; i < inputs; i++) to[i] = from[(i * taps) + tap] * scale;
            }
        });
    }

    /// <summary>∂v = (g/‖v‖)(∂w − v (∂w·v)/‖v‖²) and ∂g = ∂w·v/‖v‖.</summary>
    /// <param name="v">The direction.</param>
    /// <param name="g">The lengths.</param>
    /// <param name="gradient">∂w.</param>
    /// <param name="outer">The distance between its outputs.</param>
    /// <param name="across">That between its inputs.</param>
    /// <param name="along">That between its taps.</param>
    /// <param name="ofV">Gets ∂v.</param>
    /// <param name="ofG">Gets ∂g.</param>
    /// <param name="outputs">O.</param>
    /// <param name="inputs">I.</param>
    /// <param name="taps">The taps.</param>
    public static void Backward(float* v, float* g, float* gradient, long outer, long across, long along, float* ofV, float* ofG,
        int outputs, int inputs, int taps)
    {
        var each = inputs * taps;
        KernelThreads.For(outputs, (double)outputs * each, 1 << 14, (start, end) =>
        {
            for (var o = start; o < end; o++)
            {
                float* row = v + (o * each), from = gradient + (o * outer), to = ofV + (o * each);
                for (var i = 0; i < inputs; i++)
                    for (var tap = 0; tap < taps; tap++) to[(i * taps) + tap] = from[(i * across) + (tap * along)];
                var square = ImageMath.Dot(row, row, each);
                var length = MathF.Sqrt(Math.Max(square, SmallestSquare));
                var alongV = ImageMath.Dot(row, to, each);
                ofG[o] = alongV / length;
                var scale = g[o] / length;
                // below the floor the length does not depend on v
                ImageMath.Combine(to, row, each, scale, square < SmallestSquare ? 0 : -scale * (alongV / length / length));
            }
        });
    }
}
