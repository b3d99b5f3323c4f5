using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Takes values from [0, 1] to the whole line: z = logit(p) with p = α + (1 - 2α) x; log|det| = Σ log(1 - 2α) - log p - log(1 - p)
/// (Real NVP, arXiv 1605.08803, section 4.1).
/// </summary>
/// <remarks>
/// The factor is 1 - 2α, as in the original code (0.9 for α = 0.05), so that 0 and 1 are treated alike; the paper prints 1 - α. The
/// exact inverse, which undoes the factor as well, can go beyond [0, 1] by α/(1 - 2α): that is the domain.
/// An example with a value outside of it has a log-determinant of minus infinity. It has no weights.
/// </remarks>
public sealed partial class LogitTransform : Bijection
{
    private readonly Scalar alpha, factor, reciprocal;
    private readonly Scalar logFactor, minusLogFactor, minusInfinity;

    /// <summary>Makes the layer.</summary>
    /// <param name="alpha">α in 1e-6 ... 0.49: how far the values stay from 0 and 1.</param>
    /// <param name="inputShape">The shape of one example; null for any.</param>
    public LogitTransform(double alpha = 0.05, EventShape? inputShape = null) : base(nameof(LogitTransform), inputShape)
    {
        Alpha = Ranges.LogitAlpha.Require(alpha, nameof(alpha), "Alpha, for which the paper uses 0.05,");
        (this.alpha, factor, reciprocal) = (Scalars.Of(alpha), Scalars.Of(1 - 2 * alpha), Scalars.Of(1 / (1 - 2 * alpha)));
        (logFactor, minusLogFactor) = (Scalars.Of(Math.Log(1 - 2 * alpha)), Scalars.Of(-Math.Log(1 - 2 * alpha)));
        minusInfinity = Scalars.Of(double.NegativeInfinity);
        RegisterComponents();
    }

    /// <summary>α: how far the values stay from 0 and 1.</summary>
    public double Alpha { get; }

    /// <inheritdoc/>
    // near 0 and 1, the digits of x are not in z
    protected internal override bool KeepsInput(bool inverse) => !inverse;

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass)
    {
        var p = x.mul(factor).add(alpha, Scalars.One);
        // outside of (0, 1), and where rounding has led to 0 or 1, it stops just short of them
        var inside = p.clamp(Scalars.Of(finfo(x.dtype).tiny), Scalars.Of(1 - (finfo(x.dtype).eps / 2)));
        var log_p = inside.log();
        var log_q = inside.neg().log1p();
        var logDet = SumExamples(log_p.add(log_q, Scalars.One).neg().add(logFactor, Scalars.One));
        return (log_p.sub(log_q), logDet.masked_fill(Outside(p.detach()), minusInfinity));
    }

    /// <inheritdoc/>
    protected internal override Tensor? OutsideDomain(Tensor x) =>
        Outside((x.is_floating_point() ? x : x.to(float32)).mul(factor).add(alpha, Scalars.One));

    // the inverse ends in p = 0 and 1 up to its rounding, and what it gives is inside
    private static Tensor Outside(Tensor p) => p.shape.Skip(1).Contains(0)
        ? zeros(p.shape[0], ScalarType.Bool, p.device)
        : (p.dim() < 2 ? p.unsqueeze(1) : p.flatten(1)).sub(Scalars.Half).abs().amax([1L]).gt(Scalars.Of(0.5 + (8 * finfo(p.dtype).eps)));

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass)
    {
        var x = z.sigmoid().sub(alpha).mul(reciprocal);
        // log p + log(1 - p) = -|z| - 2 log(1 + exp(-|z|)), finite for every z
        var size = z.abs();
        var log_pq = size.neg().exp().log1p().mul(Scalars.Two).add(size, Scalars.One).neg();
        return (x, SumExamples(log_pq.add(minusLogFactor, Scalars.One)));
    }
}
