using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// A <see cref="SplineTransformer"/> whose parameters are those of another library: derivatives are softplus(d) + ε as in nflows, or
/// sizes are a softmax without a floor and derivatives exp(d), all softly clipped, as in zuko. They are turned into those for which ours
/// is the same map.
/// </summary>
/// <remarks>State-dict keys: those of the spline, which has none.</remarks>
internal sealed partial class ImportedSpline : ScalarTransformer
{
    // what a softplus may underflow to
    private const double Least = 1e-30;

    private readonly SplineTransformer spline;
    private readonly double? slope;
    private readonly double steepness;

    /// <summary>Makes the map.</summary>
    /// <param name="spline">Ours; owned from now on.</param>
    /// <param name="slope">The smallest slope of zuko; null for nflows.</param>
    public ImportedSpline(SplineTransformer spline, double? slope) : base(nameof(ImportedSpline))
    {
        (this.spline, this.slope) = (spline, slope);
        // ours has derivative 1 at a parameter of 0
        steepness = Math.Log(2) / (1 - spline.SmallestDerivative);
        RegisterComponents();
    }

    /// <inheritdoc/>
    public override int ParametersPerElement => spline.ParametersPerElement;

    /// <inheritdoc/>
    public override bool IsIdentityAtZeroExactly => false;

    /// <inheritdoc/>
    public override (Tensor Value, Tensor? LogDerivative) Forward(Tensor x, Tensor parameters) => Mapped(x, nameof(x), parameters, false);

    /// <inheritdoc/>
    public override (Tensor Value, Tensor? LogDerivative) Inverse(Tensor y, Tensor parameters) => Mapped(y, nameof(y), parameters, true);

    private (Tensor Value, Tensor? LogDerivative) Mapped(Tensor input, string parameter, Tensor parameters, bool inverse)
    {
        CheckParameters(input, parameter, parameters);
        using var scope = NewDisposeScope();
        var ours = Ours(parameters);
        var (value, logDerivative) = inverse ? spline.Inverse(input, ours) : spline.Forward(input, ours);
        return (scope.MoveToOuter(value), scope.MoveToOuter(logDerivative!));
    }

    private Tensor Ours(Tensor theirs)
    {
        var bins = spline.Bins;
        // (N, P, C, ...)
        var all = theirs.unflatten(1, [ParametersPerElement, theirs.shape[1] / ParametersPerElement]);
        var (sizes, slopes) = (all.narrow(1, 0, 2 * bins), all.narrow(1, 2 * bins, ParametersPerElement - (2 * bins)));
        Tensor wanted;
        if (slope is { } least)
        {
            sizes = ScaleShiftTransformer.SoftClip(sizes, Math.Log(least) / 2);
            sizes = cat([Floored(sizes.narrow(1, 0, bins)), Floored(sizes.narrow(1, bins, bins))], 1);
            wanted = ScaleShiftTransformer.SoftClip(slopes, Math.Log(least)).exp().sub(Scalars.Of(spline.SmallestDerivative));
        }
        else wanted = ScaleShiftTransformer.Softplus(slopes);
        wanted = wanted.clamp_min(Scalars.Of(Least));
        // the d with softplus(β d)/β = wanted
        var d = wanted.add(wanted.mul(Scalars.Of(-steepness)).expm1().neg().log().div(Scalars.Of(steepness)), Scalars.One);
        return cat([sizes, d], 1).flatten(1, 2);
    }

    // ours gives each bin a smallest size before the softmax
    private Tensor Floored(Tensor sizes) =>
        nn.functional.softmax(sizes, 1).sub(Scalars.Of(spline.SmallestBin)).clamp_min(Scalars.Of(Least)).log();
}
