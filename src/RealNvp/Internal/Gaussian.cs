using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>Normal densities with a mean and the logarithm of a standard deviation.</summary>
internal static class Gaussian
{
    /// <summary>The largest |log σ|: that of the affine transformer, so that σ and 1/σ are finite in float32.</summary>
    public const double MaxLogScale = AffineForm.MaxLogScale;

    private static readonly Scalar limit = Scalars.Of(MaxLogScale), minusLimit = Scalars.Of(-MaxLogScale),
        halfLogTwoPi = Scalars.Of(0.5 * Math.Log(2 * Math.PI)), minusRootHalf = Scalars.Of(-Math.Sqrt(0.5));

    /// <summary>P(Z ≤ z) of a standard normal, as precise for large negative z: ½ erfc(−z/√2).</summary>
    public static Tensor Cdf(Tensor z)
    {
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(z.mul(minusRootHalf).erfc().mul(Scalars.Half));
    }

    public static Tensor Limited(Tensor logScale) => logScale.clamp(minusLimit, limit);

    /// <summary>Σ log N(x; m, σ²) over the last dimension; all broadcast.</summary>
    public static Tensor LogProb(Tensor x, Tensor mean, Tensor logScale)
    {
        var u = x.sub(mean).mul(logScale.neg().exp());
        return MinusHalfSquare(u).sub(logScale).sub(halfLogTwoPi).sum([-1L]);
    }

    /// <summary>−½ u², finite where that is a number of the dtype: u² need not be one. The same bits as half of the square.</summary>
    public static Tensor MinusHalfSquare(Tensor u) => u.mul(Scalars.MinusHalf).mul(u);

    /// <summary>log(1 + u²) for u of 0 or more, whose square need not be a number of the dtype.</summary>
    public static Tensor LogOnePlusSquare(Tensor u)
    {
        var large = u.clamp_min(Scalars.One);
        return u.clamp_max(Scalars.One).pow(Scalars.Two).log1p().where(u.le(Scalars.One),
            large.reciprocal().pow(Scalars.Two).log1p().add(large.log().mul(Scalars.Two), Scalars.One));
    }
}
