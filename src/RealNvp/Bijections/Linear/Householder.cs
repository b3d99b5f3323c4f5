using RealNvp.Internal;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Orthogonal matrices as products of reflections.</summary>
internal static class Householder
{
    /// <summary>
    /// The first columns of (I - 2 v₁v₁ᵀ/|v₁|²) ··· (I - 2 vₖvₖᵀ/|vₖ|²) for vectors (K, D): (D, columns). A vector of zeros stands for the identity.
    /// </summary>
    public static Tensor Columns(Tensor vectors, long columns)
    {
        // first by the largest element, so that no square underflows or overflows
        var scaled = vectors.div(vectors.detach().abs().amax([1L], keepdim: true).clamp_min(Scalars.Of(1e-30)));
        var length = scaled.mul(scaled).sum([1L], keepdim: true).clamp_min(Scalars.Of(1e-30)).sqrt();
        var unit = scaled.div(length);
        var q = eye(vectors.shape[1], columns, dtype: vectors.dtype, device: vectors.device);
        for (var k = vectors.shape[0] - 1; k >= 0; k--)
        {
            var v = unit.narrow(0, k, 1);
            q = q.sub(v.t().mm(v.mm(q)).mul(Scalars.Two));
        }
        return q;
    }
}
