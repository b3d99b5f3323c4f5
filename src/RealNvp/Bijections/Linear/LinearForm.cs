namespace RealNvp;

/// <summary>How an <see cref="InvertibleLinearLayer"/> stores its matrix.</summary>
public enum LinearForm
{
    /// <summary>W = P·L·U with a fixed permutation P and a diagonal of fixed signs and learned sizes, which is never singular.</summary>
    Lu,

    /// <summary>W itself. Its determinant costs O(C³) a call, and training can make it singular.</summary>
    Plain,

    /// <summary>An orthogonal W, a product of Householder reflections; log|det| = 0.</summary>
    Orthogonal,

    /// <summary>W = Q·R: Householder reflections, and an upper triangle with a positive diagonal, which is never singular.</summary>
    Qr,
}
