using System.Globalization;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Turns integers k = 0 ... K - 1 into continuous values in [0, 1): z = (k + u)/K with u uniform in [0, 1); log|det| = -D log K.
/// </summary>
/// <remarks>
/// <para>With it, the log-likelihood of a flow is that of the integers: a bound that is exact in expectation over u if the density
/// is constant in each cell (Uria et al., arXiv 1306.0186; Theis et al., arXiv 1511.01844). The noise is new at each call; pass a
/// seed to the flow's methods to repeat it. The inverse gives integers, limited to 0 ... K - 1.</para>
/// <para>The noise stays away from 0 and 1 by 2·K·ε of the dtype (6·10⁻⁵ for bytes in float32), so that rounding never makes an integer
/// of another one. More than 2^20 levels need float64: float32 would give back other integers, and is refused.</para>
/// <para>It has no weights.</para>
/// </remarks>
public sealed partial class UniformDequantization : Bijection
{
    private const double MaxMargin = 0.25;

    private readonly Scalar levels, top, reciprocal;
    private readonly double logLevels;

    /// <summary>Makes the layer.</summary>
    /// <param name="levels">K, the number of values, at least 2: 256 for bytes.</param>
    /// <param name="inputShape">The shape of one example; null for any.</param>
    public UniformDequantization(int levels = 256, EventShape? inputShape = null) : base(nameof(UniformDequantization), inputShape)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(levels, 2);
        Levels = levels;
        (this.levels, top, reciprocal, logLevels) = (Scalars.Of(levels), Scalars.Of(levels - 1.0), Scalars.Of(1.0 / levels),
            Math.Log(levels));
        RegisterComponents();
    }

    /// <summary>K, the number of values.</summary>
    public int Levels { get; }

    /// <inheritdoc/>
    public override bool IsStochastic => true;

    /// <inheritdoc/>
    public override Likelihood Likelihood => Likelihood.LowerBound;

    /// <inheritdoc/>
    public override bool Dequantizes => true;

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass)
    {
        CheckDigits(Levels, x.dtype, GetName());
        var margin = Margin(Levels, x.dtype);
        // laid out as the shape says, so that a seed gives the same noise whatever the strides of x are
        var noise = Noise.Uniform(x.shape, x.dtype, x.device, pass.Generator, margin, 1 - margin);
        return (x.add(noise, Scalars.One).mul(reciprocal), PerExample(x, -logLevels));
    }

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass)
    {
        CheckDigits(Levels, z.dtype, GetName());
        return (z.mul(levels).floor().clamp(Scalars.Zero, top), PerExample(z, logLevels));
    }

    /// <inheritdoc/>
    protected internal override void CheckData(Tensor x, string owner) => CheckLevels(x, Levels, owner);

    internal static void CheckLevels(Tensor x, int levels, string owner)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        if (x.numel() == 0) return;
        var whole = x.is_floating_point() ? x.eq(x.floor()) : ones(1, ScalarType.Bool, x.device);
        var (least, most) = (x.min().to(float64).Fetch<double>(), x.max().to(float64).Fetch<double>());
        if (whole.all().Fetch<bool>() && least >= 0 && most < levels) return;
        var advice = least >= 0 && most <= 1 ? $" Data in [0, 1] must be turned back into whole numbers first: (x * {levels - 1}).round()."
            : "";
        throw new ArgumentException(
            string.Create(CultureInfo.InvariantCulture,
                $"{owner} expects whole numbers in 0 ... {levels - 1}, because the flow dequantizes {levels} levels; got values in " +
            $"[{least:G6}, {most:G6}]{(least >= 0 && most < levels ? " with fractions" : "")}.{advice}"), nameof(x));
    }

    // k + u, times 1/K and times K again, is rounded four times, by less than 2 ε K in all: noise nearer to 0 or 1 could come back as
    // another integer, and z could be 1
    // more levels than this would need a margin of more than 1/4, and could come back as others
    internal static void CheckDigits(int levels, ScalarType dtype, string owner)
    {
        if (2 * levels * finfo(dtype).eps <= MaxMargin) return;
        throw new InvalidOperationException(
            $"{owner} has {levels} levels, which {dtype} cannot tell apart after rounding; it holds " +
            $"{(long)(MaxMargin / 2 / finfo(dtype).eps)}. Compute in float64: model.to(torch.float64) and data in float64 or integers; " +
            $"or use fewer levels.");
    }

    internal static double Margin(int levels, ScalarType dtype) => 2 * levels * finfo(dtype).eps;

    private static Tensor PerExample(Tensor x, double logDerivative)
    {
        var elements = x.shape.Skip(1).Aggregate(1L, (n, s) => n * s);
        return full(x.shape[0], Scalars.Of(elements * logDerivative), dtype: x.dtype, device: x.device);
    }
}
