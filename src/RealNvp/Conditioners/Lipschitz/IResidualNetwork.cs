using RealNvp.Kernels;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A network g for which one operation computes x + g(x), or its inverse, from end to end.</summary>
internal interface IResidualNetwork
{
    /// <summary>z = x + g(x) and log det(I + ∂g/∂x) (N), null if it is not wanted;
    /// null if the operation cannot run. In the caller's scope.</summary>
    /// <param name="x">(N, D).</param>
    /// <param name="context">(N, C), or null.</param>
    /// <param name="wantsLogDet">Whether the exact log-determinant is wanted.</param>
    /// <param name="isStep">As of <see cref="NetworkCall.Of"/>.</param>
    (Tensor Z, Tensor? LogDet)? TryBlock(Tensor x, Tensor? context, bool wantsLogDet, bool isStep);

    /// <summary>The x with x + g(x) = y, without a graph; null if the operation cannot run. In the caller's scope.</summary>
    /// <param name="y">(N, D).</param>
    /// <param name="context">(N, C), or null.</param>
    /// <param name="steps">The most steps.</param>
    /// <param name="least">The residual that is small enough for small numbers.</param>
    /// <param name="ulps">One that is small enough for large numbers, in units of their last place.</param>
    /// <param name="isStep">As of <see cref="NetworkCall.Of"/>.</param>
    (Tensor X, ResidualMiss Miss)? TrySearch(Tensor y, Tensor? context, int steps, double least, double ulps, bool isStep);
}
