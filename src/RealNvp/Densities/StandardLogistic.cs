using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Independent standard logistics: log p(z) = -Σ log(1 + eᶻ) + log(1 + e⁻ᶻ), with heavier tails than a normal (NICE, arXiv 1410.8516,
/// section 3.4).
/// </summary>
public sealed partial class StandardLogistic : Density, IElementCdf
{
    /// <summary>Makes the density for latents of one shape.</summary>
    public StandardLogistic(EventShape shape) : base(nameof(StandardLogistic), shape) => RegisterComponents();

    /// <inheritdoc/>
    protected override Tensor LogProbCore(Tensor z, Tensor? context)
    {
        using var scope = NewDisposeScope();
        // -|z| - 2 log(1 + exp(-|z|)), finite for every z
        var size = z.flatten(1).abs();
        return scope.MoveToOuter(size.neg().exp().log1p().mul(Scalars.Two).add(size, Scalars.One).sum(1).neg());
    }

    /// <inheritdoc/>
    public Tensor Cdf(Tensor z, Tensor? context)
    {
        CheckForCdf(z, context);
        return z.sigmoid();
    }

    /// <inheritdoc/>
    protected override Tensor SampleCore(long count, double temperature, ScalarType dtype, Device device, Generator? generator,
        Tensor? context)
    {
        using var scope = NewDisposeScope();
        // 0 and 1 have no logit; the smallest step of the dtype's uniform numbers is far below this
        var u = Noise.Uniform(Shape.WithBatch(count), dtype, device, generator).clamp(Scalars.Of(1e-7), Scalars.Of(1 - 1e-7));
        var z = u.log().sub(u.neg().log1p());
        return scope.MoveToOuter(temperature == 1 ? z : z.mul(Scalars.Of(temperature)));
    }
}
