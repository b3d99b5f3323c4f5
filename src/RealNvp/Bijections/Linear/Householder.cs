using RealNvp.Internal;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Orthogonal matrices as products of reflections.</summary>
internal static class Householder
{
    /// <summary>
    /// The first columns of (I - 2 v₁v₁ᵀ/|v₁|²) ··· (I - 2 vₖvₖᵀ/|vₖ|²) for
    /// vectors (K, D): (D, columns). A vector of zeros stands for the identity.
    /// </summary>
    /// <remarks>
    /// All at once: with the unit vectors as the columns of U the product is I − U·T·Uᵀ, and T⁻¹
    /// has ½ on its diagonal and UᵀU above it (Joffrain et al., Accumulating Householder
    /// transformations, revisited, 2006). So it is two products and a triangular solve for any K.
    /// </remarks>
    public static Tensor Columns(Tensor vectors, long columns)
    {
        // first by the largest element, so that no square underflows or overflows
        var scaled = vectors.div(vectors.detach().abs().amax([1L], keepdim: true).clamp_min(Scalars.Of(1e-30)));
        var length = scaled.mul(scaled).sum([1L], keepdim: true).clamp_min(Scalars.Of(1e-30)).sqrt();
        var rows = scaled.div(length);
        var half = eye(vectors.shape[0], dtype: vectors.dtype, device: vectors.device).mul(Scalars.Half);
        var inner = linalg.solve_triangular(rows.mm(rows.t()).triu(1).add(half, Scalars.One), rows.narrow(1, 0, columns), upper: true);
        return eye(vectors.shape[1], columns, dtype: vectors.dtype, device: vectors.device).sub(rows.t().mm(inner));
    }
}
