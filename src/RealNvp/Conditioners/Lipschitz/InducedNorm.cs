using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Norms of matrices that vector norms induce: the largest |Wx|_q
/// for |x|_p = 1, those that have a closed form, and from 2 to 2.</summary>
internal static class InducedNorm
{
    /// <summary>Throws if a norm from p to q is not to be had.</summary>
    public static void Check(double domain, double codomain)
    {
        if (!IsNorm(domain)) throw new ArgumentOutOfRangeException(nameof(domain), domain, "The norm must be 1, 2 or infinity.");
        if (!IsNorm(codomain)) throw new ArgumentOutOfRangeException(nameof(codomain), codomain, "The norm must be 1, 2 or infinity.");
        if (!(domain == codomain || domain == 1 || double.IsPositiveInfinity(codomain)))
            throw new ArgumentOutOfRangeException(nameof(codomain), codomain,
                string.Create(System.Globalization.CultureInfo.InvariantCulture,
                $"The norm from {domain} to {codomain} cannot be computed to the last digit: nobody knows how for large matrices. From " +
                    $"1 to any, from any to infinity, and from 2 to 2 can."));
    }

    /// <summary>Whether it is the largest singular value.</summary>
    public static bool IsSpectral(double domain, double codomain) => domain == 2 && codomain == 2;

    /// <summary>The norm of a matrix (outputs, inputs), as a tensor without dimensions.</summary>
    public static Tensor Of(Tensor matrix, double domain, double codomain) =>
        // from 1: the largest column in the norm of the outputs. To infinity:
        // the largest row in the norm that is dual to that of the inputs
        domain == 1 ? Length(matrix, codomain, 0).max() : Length(matrix, domain == 2 ? 2 : 1, 1).max();

    private static Tensor Length(Tensor matrix, double p, long dimension) => p switch
    {
        1 => matrix.abs().sum([dimension]),
        2 => matrix.pow(Internal.Scalars.Two).sum([dimension]).sqrt(),
        _ => matrix.abs().amax([dimension]),
    };

    private static bool IsNorm(double p) => p is 1 or 2 || double.IsPositiveInfinity(p);
}
