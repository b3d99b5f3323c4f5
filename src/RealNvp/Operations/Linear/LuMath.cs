using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>A matrix P·L·U in plain operations, and its product at each pixel.</summary>
internal static class LuMath
{
    /// <summary>P·L·U from the packed form (C, C), the rows of L·U in their order (C), and the signs of U's diagonal (C).</summary>
    public static Tensor FromLu(Tensor lu, Tensor permutation, Tensor sign)
    {
        var (lower, upper) = Triangles(lu, sign);
        return lower.mm(upper).index_select(0, permutation);
    }

    /// <summary>The product at each pixel, or of each vector.</summary>
    public static Tensor Apply(Tensor matrix, Tensor x) =>
        x.dim() == 2 ? x.mm(matrix.t()) : ExactConvolution.Apply(x, matrix.unsqueeze(-1).unsqueeze(-1));

    /// <summary>The log-determinant (N) of a batch, from that of one pixel.</summary>
    public static Tensor ByExample(Tensor logDet, Tensor x) =>
        logDet.mul(Scalars.Of(x.Sizes().Skip(2).Aggregate(1L, (n, s) => n * s))).repeat(x.size(0));

    /// <summary>L and U from the packed form.</summary>
    public static (Tensor Lower, Tensor Upper) Triangles(Tensor packed, Tensor sign)
    {
        var u = packed.triu(1).add(packed.diagonal().exp().mul(sign.to(packed.dtype)).diag(), Scalars.One);
        return (packed.tril(-1).add(eye(packed.size(0), dtype: packed.dtype, device: packed.device), Scalars.One), u);
    }
}
