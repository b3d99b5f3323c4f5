using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A density whose elements are independent given the context, and that knows the distribution function of each.</summary>
/// <remarks>Implement it in a density of yours, and <see cref="Diagnostics"/> has exact probability integral transforms.</remarks>
public interface IElementCdf
{
    /// <summary>P(Zᵢ ≤ zᵢ | context) of each element of latents, in the shape of z. Runs in a dispose scope, without gradients.</summary>
    /// <param name="z">(N, ...), in float64.</param>
    /// <param name="context">(N, C) for a conditional density; null for any other.</param>
    Tensor Cdf(Tensor z, Tensor? context);
}
