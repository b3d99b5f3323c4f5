using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// The uniform density on the unit sphere of D numbers, by area: log p(z) = log Γ(D/2) − log 2 − (D/2) log π,
/// which is −log 4π for D = 3, for unit vectors, and minus infinity for all others.
/// </summary>
/// <remarks>
/// For a flow on the sphere, such as <see cref="ContinuousLayer"/> with <see cref="SphericalDynamics"/>. A flow over it takes
/// unit vectors alone, and its densities are those by area. A length within 10⁻⁴ of 1 counts as 1. It has no weights. A
/// temperature changes nothing, since no point is more likely than another.
/// </remarks>
public sealed partial class UniformSphere : Density
{
    private readonly Scalar logDensity, minusInfinity = Scalars.Of(double.NegativeInfinity);

    /// <summary>Makes the density.</summary>
    /// <param name="shape">The shape of one latent, of D elements in all; D at least 2.</param>
    public UniformSphere(EventShape shape) : base(nameof(UniformSphere), shape)
    {
        if (shape.NumElements < 2)
            throw new ArgumentException($"A sphere is in at least 2 dimensions: 3 for the ordinary one; got {shape}.", nameof(shape));
        logDensity = Scalars.Of(-LogArea(shape.NumElements));
        RegisterComponents();
    }

    /// <inheritdoc/>
    public override bool HasBoundedSupport => true;

    /// <inheritdoc/>
    public override bool IsOnSphere => true;

    /// <inheritdoc/>
    protected override Tensor LogProbCore(Tensor z, Tensor? context)
    {
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(zeros(z.shape[0], dtype: z.dtype, device: z.device).add(logDensity,
            Scalars.One).masked_fill(UnitLength.IsOff(z), minusInfinity));
    }

    /// <inheritdoc/>
    protected internal override Tensor? OutsideSupport(Tensor z) =>
        UnitLength.IsOff(z).reshape([z.shape[0], .. Enumerable.Repeat(1L, (int)z.dim() - 1)]).expand(z.shape);

    /// <inheritdoc/>
    protected override Tensor SampleCore(long count, double temperature, ScalarType dtype, Device device, Generator? generator,
        Tensor? context)
    {
        using var scope = NewDisposeScope();
        var normal = Noise.Normal([count, Shape.NumElements], dtype, device, generator);
        return scope.MoveToOuter(normal.div(UnitLength.Of(normal)).reshape(Shape.WithBatch(count)));
    }

    // log of 2π^(D/2)/Γ(D/2)
    private static double LogArea(long dimensions)
    {
        // Γ(x) = (x − 1)·Γ(x − 1), down to Γ(1) or Γ(½)
        var logGamma = dimensions % 2 == 0 ? 0 : Math.Log(Math.PI) / 2;
        for (var x = (dimensions / 2.0) - 1; x > 0; x--) logGamma += Math.Log(x);
        return Math.Log(2) + (dimensions * Math.Log(Math.PI) / 2) - logGamma;
    }
}
