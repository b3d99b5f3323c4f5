using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>log det(I + J) of small matrices, whose eigenvalues are within 1 of 1.</summary>
internal static class JacobianLogDet
{
    /// <summary>(N), for J (N, D, D): in closed form for D of 1 and 2, by one batch of LU factorizations else.</summary>
    public static Tensor Of(Tensor jacobian)
    {
        var d = jacobian.shape[1];
        if (d == 1) return jacobian.reshape(-1).log1p();
        if (d == 2)
        {
            var (a, b, c, e) = (Item(jacobian, 0, 0), Item(jacobian, 0, 1), Item(jacobian, 1, 0), Item(jacobian, 1, 1));
            // det(I + J) − 1, with the digits of a small J
            return a.add(e, Scalars.One).add(a.mul(e), Scalars.One).sub(b.mul(c)).log1p();
        }
        return linalg.slogdet(jacobian.add(eye(d, dtype: jacobian.dtype, device: jacobian.device), Scalars.One)).Item2;
    }

    private static Tensor Item(Tensor matrices, long row, long column) => matrices.select(1, row).select(1, column);
}
