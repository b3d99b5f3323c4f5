using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Bends the space along M orthogonal directions: z = x + Q·R·tanh(R̃·Qᵀx + b) with Qᵀ·Q = I and upper triangles R and R̃;
/// log|det| = Σ log(1 + Rᵢᵢ·R̃ᵢᵢ·tanh′((R̃·Qᵀx + b)ᵢ)) over M terms (van den Berg and others, arXiv 1803.05649, section 3).
/// </summary>
/// <remarks>
/// <para>Q (D, M) is made of M Householder reflections, which reach every choice of directions. The diagonals of R and R̃ are
/// 0.999·tanh of their weights, so that Rᵢᵢ·R̃ᵢᵢ is above −1 and the layer is invertible
/// for any weights. A new layer is the identity, R = 0, with random directions.</para>
/// <para>Forward has the closed form. Inverse solves M increasing equations an example, the last direction first, by Newton's method
/// in float64 whatever the dtype. A residual above 1e-9 throws. The gradient of the inverse is that of the implicit function.</para>
/// <para>State-dict keys: <c>reflections</c> (M, D), <c>r</c> and <c>r_tilde</c>
/// (M, M: nothing that counts below the diagonal), <c>b</c> (M).</para>
/// </remarks>
public sealed partial class SylvesterLayer : Bijection
{
    private const double LargestDiagonal = 0.999;

    private static readonly Scalar largestDiagonal = Scalars.Of(LargestDiagonal);

    private readonly TorchSharp.Modules.Parameter reflections, r, r_tilde, b;

    /// <summary>Makes the layer; the directions are drawn from torch's default generator.</summary>
    /// <param name="inputShape">[D].</param>
    /// <param name="directions">M, 1 to D; null for D. More are more flexible, and take longer to invert.</param>
    /// <exception cref="ArgumentException">The shape is no vector of a known size.</exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="directions"/> is not 1 to D.</exception>
    public SylvesterLayer(EventShape inputShape, long? directions = null) : base(nameof(SylvesterLayer), inputShape)
    {
        var d = Check.Vector(inputShape, nameof(inputShape), "A Sylvester layer");
        Directions = directions ?? d;
        if (Directions < 1 || Directions > d)
            throw new ArgumentOutOfRangeException(nameof(directions), directions,
                $"The number of directions must be 1 to {d}, the number of features.");
        var m = Directions;
        Weights.Pay(((Int128)m * d) + (2 * (Int128)m * m) + m, 4);
        reflections = Weights.Parameter(Weights.Normal(m, d));
        r = Weights.Parameter(zeros(m, m));
        r_tilde = Weights.Parameter(eye(m));
        b = Weights.Parameter(zeros(m));
        RegisterComponents();
    }

    /// <summary>M, the number of directions along which the space is bent.</summary>
    public long Directions { get; }

    /// <inheritdoc/>
    // the inverse solves an equation
    protected internal override bool KeepsInput(bool inverse) => !inverse;

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass)
    {
        var (q, outer, inner) = (Householder.Columns(reflections, Directions), Triangle(r), Triangle(r_tilde));
        var a = x.mm(q).mm(inner.t()).add(b, Scalars.One);
        var value = x.add(a.tanh().mm(outer.t()).mm(q.t()), Scalars.One);
        return (value, TanhEquation.LogSlope(a, Slopes(outer, inner)).sum(1));
    }

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass)
    {
        var wide = z.to(float64);
        var (q, outer, inner, shift) = (Householder.Columns(reflections.to(float64), Directions), Triangle(r.to(float64)),
            Triangle(r_tilde.to(float64)), b.to(float64));
        var (slopes, y) = (Slopes(outer, inner), wide.mm(q));
        // y = v + R·tanh(a) and a = R̃·v + b: row i holds what later rows have found, and aᵢ alone
        Tensor? v = null, h = null, logDet = null;
        for (var i = Directions - 1; i >= 0; i--)
        {
            var (left, offset) = (y.narrow(1, i, 1), shift.narrow(0, i, 1));
            if (v is not null)
            {
                left = left.sub(h!.mm(Behind(outer, i)));
                offset = v.mm(Behind(inner, i)).add(offset, Scalars.One);
            }
            var slope = slopes.narrow(0, i, 1);
            var a = TanhEquation.Root(left.mul(Diagonal(inner, i)).add(offset, Scalars.One), slope, GetName());
            var bent = a.tanh();
            var own = left.sub(bent.mul(Diagonal(outer, i)));
            var log = TanhEquation.LogSlope(a, slope);
            v = v is null ? own : cat([own, v], 1);
            h = h is null ? bent : cat([bent, h], 1);
            logDet = logDet is null ? log : logDet.add(log, Scalars.One);
        }
        var value = wide.sub(h!.mm(outer.t()).mm(q.t()));
        return (value.to(z.dtype), logDet!.squeeze(1).neg().to(z.dtype));
    }

    private static Tensor Triangle(Tensor packed) => packed.triu(1).add(packed.diagonal().tanh().mul(largestDiagonal).diag(), Scalars.One);

    /// <summary>1 + Rᵢᵢ·R̃ᵢᵢ, at least 0.0019.</summary>
    private static Tensor Slopes(Tensor outer, Tensor inner) => outer.diagonal().mul(inner.diagonal()).add(Scalars.One, Scalars.One);

    /// <summary>What row i of a triangle has right of the diagonal, as a column.</summary>
    private static Tensor Behind(Tensor triangle, long i) => triangle.narrow(0, i, 1).narrow(1, i + 1, triangle.shape[1] - i - 1).t();

    private static Tensor Diagonal(Tensor triangle, long i) => triangle.diagonal().narrow(0, i, 1);
}
