using RealNvp.Internal;
using RealNvp.Operations;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Independent standard normals: log p(z) = -½ Σ z² - D/2 log 2π.</summary>
public sealed partial class StandardNormal : Density, IElementCdf
{
    private readonly Scalar logNormalizer;

    /// <summary>Makes the density for latents of one shape.</summary>
    public StandardNormal(EventShape shape) : base(nameof(StandardNormal), shape)
    {
        logNormalizer = Scalars.Of(0.5 * shape.NumElements * Math.Log(2 * Math.PI));
        RegisterComponents();
    }

    /// <inheritdoc/>
    protected override Tensor LogProbCore(Tensor z, Tensor? context)
    {
        using var scope = NewDisposeScope();
        var flat = z.flatten(1);
        return scope.MoveToOuter(Gaussian.MinusHalfSquare(flat).sum(1).sub(logNormalizer));
    }

    private protected override Tensor? MeanLossCore(Tensor z, Tensor logDet) => NormalLossFunction.Run(z, logDet);

    /// <inheritdoc/>
    public Tensor Cdf(Tensor z, Tensor? context)
    {
        CheckForCdf(z, context);
        return Gaussian.Cdf(z);
    }

    /// <inheritdoc/>
    protected override Tensor SampleCore(long count, double temperature, ScalarType dtype, Device device, Generator? generator,
        Tensor? context)
    {
        using var scope = NewDisposeScope();
        var z = Noise.Normal(Shape.WithBatch(count), dtype, device, generator);
        return scope.MoveToOuter(temperature == 1 ? z : z.mul(Scalars.Of(temperature)));
    }
}
