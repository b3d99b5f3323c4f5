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
/// exact inverse, which undoes the factor as well, can go beyond [0, 1] by α/(1 - 2α). It has no weights.
/// </remarks>
public sealed class LogitTransform : Bijection
{
    private readonly Scalar alpha, factor, reciprocal, largest, smallest;
    private readonly Scalar log_factor, minus_log_factor;

    /// <summary>Makes the layer.</summary>
    /// <param name="alpha">α in (0, 0.5): how far the values stay from 0 and 1.</param>
    /// <param name="inputShape">The shape of one example; null for any.</param>
    public LogitTransform(double alpha = 0.05, EventShape? inputShape = null) : base(nameof(LogitTransform), inputShape)
    {
        if (alpha is not (> 0 and < 0.5)) throw new ArgumentOutOfRangeException(nameof(alpha), alpha, "Alpha must be in (0, 0.5); the paper uses 0.05.");
        Alpha = alpha;
        (this.alpha, factor, reciprocal) = (Scalars.Of(alpha), Scalars.Of(1 - 2 * alpha), Scalars.Of(1 / (1 - 2 * alpha)));
        (log_factor, minus_log_factor) = (Scalars.Of(Math.Log(1 - 2 * alpha)), Scalars.Of(-Math.Log(1 - 2 * alpha)));
        (smallest, largest) = (Scalars.Of(1e-6), Scalars.Of(1 - 1e-6));
        RegisterComponents();
    }

    /// <summary>α: how far the values stay from 0 and 1.</summary>
    public double Alpha { get; }

    // near 0 and 1, the digits of x are not in z
    internal override bool KeepsInput(bool inverse) => !inverse;

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Tensor? context)
    {
        var p = x.mul(factor).add(alpha, Scalars.One);
        // data in [0, 1] is in [α, 1 - α]; anything else would be NaN, so it stops just short of 0 and 1
        p = p.clamp(smallest, largest);
        var log_p = p.log();
        var log_q = p.neg().log1p();
        return (log_p.sub(log_q), SumExamples(log_p.add(log_q, Scalars.One).neg().add(log_factor, Scalars.One)));
    }

    internal override void CheckData(Tensor x, string owner)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        if (x.numel() == 0) return;
        var (least, most) = (x.min().to(float64).Fetch<double>(), x.max().to(float64).Fetch<double>());
        if (least < 0 || most > 1) throw new ArgumentException($"{owner} expects values in [0, 1], because the flow starts with a logit; got values in [{least:G6}, {most:G6}]. Scale the data.", nameof(x));
    }

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Tensor? context)
    {
        var x = z.sigmoid().sub(alpha).mul(reciprocal);
        // log p + log(1 - p) = -|z| - 2 log(1 + exp(-|z|)), finite for every z
        var size = z.abs();
        var log_pq = size.neg().exp().log1p().mul(Scalars.Two).add(size, Scalars.One).neg();
        return (x, SumExamples(log_pq.add(minus_log_factor, Scalars.One)));
    }
}
