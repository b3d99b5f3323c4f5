using System.Numerics;

namespace RealNvp.Kernels;

/// <summary>The largest singular value of a matrix by power iteration, from vectors that may be near: a few
/// products with a vector, which as operations of a library cost many times what they compute.</summary>
internal static unsafe class SpectralKernel
{
    /// <summary>
    /// Steps until the residual of the pair (u, v) is at most so large, relative to the singular value: with v = Wᵀu/|Wᵀu| and σ = |Wv|,
    /// it is σ·√(1 − (|Wᵀu|/σ)²). A u that is near enough stays as it is, see <see cref="PowerIteration.Run"/>.
    /// </summary>
    /// <param name="w">W, (outputs, inputs).</param>
    /// <param name="outputs">The rows.</param>
    /// <param name="inputs">The columns.</param>
    /// <param name="u">Left vector, which is replaced.</param>
    /// <param name="v">Right vector, which is replaced.</param>
    /// <param name="steps">The most steps.</param>
    /// <param name="residual">What is small enough.</param>
    /// <returns>Whether it arrived.</returns>
    public static bool Run<T>(T* w, int outputs, int inputs, T* u, T* v, int steps, double residual)
        where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var enough = PowerIteration.Enough(residual);
        var down = (T*)KernelScratch.Own((long)Math.Max(outputs, inputs) * sizeof(T) / sizeof(float));
        Unit(u, u, outputs, Math.Sqrt(ResidualVectors.Dot(u, u, outputs)));
        for (var i = 0; i < steps; i++)
        {
            new Span<T>(down, inputs).Clear();
            for (var o = 0; o < outputs; o++) ResidualVectors.Add(w + ((nint)o * inputs), double.CreateTruncating(u[o]), down, inputs);
            var lower = Math.Sqrt(ResidualVectors.Dot(down, down, inputs));
            Unit(down, v, inputs, lower);
            for (var o = 0; o < outputs; o++) down[o] = T.CreateTruncating(ResidualVectors.Dot(w + ((nint)o * inputs), v, inputs));
            var upper = Math.Sqrt(ResidualVectors.Dot(down, down, outputs));
            // a map of zeros has arrived; NaN never does
            if (lower >= enough * upper) return true;
            Unit(down, u, outputs, upper);
            if (i == 0) enough = PowerIteration.Enough(residual * PowerIteration.Further);
        }
        return false;
    }

    /// <summary>uᵀWv.</summary>
    public static double Value<T>(T* w, int outputs, int inputs, T* u, T* v) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        var sum = 0.0;
        for (var o = 0; o < outputs; o++)
            sum += double.CreateTruncating(u[o]) * ResidualVectors.Dot(w + ((nint)o * inputs), v, inputs);
        return sum;
    }

    // where a map gives 0 there is no direction, and the one before stays
    private static void Unit<T>(T* vector, T* to, int count, double norm) where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        if (norm == 0) return;
        ResidualVectors.Scale(vector, 1 / norm, to, count);
    }
}
