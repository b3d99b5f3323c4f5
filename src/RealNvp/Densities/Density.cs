using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A density on latents, which may depend on a context: log-probability and sampling. It is the base of a flow.</summary>
/// <remarks>Letters: N latents, D elements of a latent, C context features.</remarks>
public abstract partial class Density : nn.Module, IDescribed
{
    private bool disposed;

    /// <summary>Makes a density for latents of one shape.</summary>
    /// <param name="name">The name that errors show.</param>
    /// <param name="shape">The shape of one latent, all sizes known.</param>
    protected Density(string name, EventShape shape) : base(TorchBackend.Checked(name))
    {
        if (!shape.IsFixed) throw new ArgumentException($"A density needs a shape with all sizes known; got {shape}.", nameof(shape));
        Shape = shape;
    }

    /// <summary>The shape of one latent.</summary>
    public EventShape Shape { get; }

    /// <summary>The number of context features C; 0 if the density does not depend on a context.</summary>
    public virtual long ContextSize => 0;

    /// <summary>Whether log p(z) is minus infinity in some region, as outside of a box.</summary>
    public virtual bool HasBoundedSupport => false;

    /// <summary>What log p(z) is in evaluation. By itself exact, or that of the
    /// worst of the densities and bijections that this one is made of.</summary>
    public virtual Likelihood Likelihood => Parts(this).Aggregate(Likelihood.Exact, (all, part) => all.With(part));

    /// <summary>The elements of z whose density is one on a circle, the same at both edges; empty for a density of the line.</summary>
    public virtual IReadOnlyList<Circle> CircularFeatures => [];

    /// <summary>
    /// Whether it is a density on the unit sphere: unit vectors alone have one, by area and not by volume. A flow over it then is on that
    /// sphere too: its layers keep lengths (<see cref="Bijection.KeepsLength"/>), and its data are unit vectors. False unless overridden.
    /// </summary>
    public virtual bool IsOnSphere => false;

    /// <summary>Which elements of latents lie outside of the support, in the shape of z and
    /// of dtype Bool, for errors; null if it is not known for each element.</summary>
    /// <param name="z">(N, ...). Runs in a dispose scope, without gradients.</param>
    protected internal virtual Tensor? OutsideSupport(Tensor z) => null;

    /// <summary>log p(z | context) of latents of shape (N, ...): shape (N), in nats. The caller disposes it.</summary>
    /// <param name="z">(N, ...), in the dtype and on the device of the weights.</param>
    /// <param name="context">(N, C) for a conditional density; null for any other.</param>
    /// <exception cref="ArgumentException">An argument has another shape, dtype or device.</exception>
    public Tensor LogProb(Tensor z, Tensor? context = null)
    {
        CheckLatents(z, context);
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(LogProbCore(z, context));
    }

    /// <summary>The mean over a batch of −log p(z | context) − log|det|, without dimensions. The caller disposes it.</summary>
    /// <param name="z">(N, ...), N of at least 1.</param>
    /// <param name="logDet">The log-determinants (N) of the map that gave z.</param>
    /// <param name="context">(N, C) for a conditional density; null for any other.</param>
    internal Tensor MeanLoss(Tensor z, Tensor logDet, Tensor? context)
    {
        CheckLatents(z, context);
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(MeanLossCore(z, logDet) ?? LogProbCore(z, context).add(logDet, Scalars.One).mean().neg());
    }

    /// <summary>What <see cref="MeanLoss"/> gives, in fewer operations; null if there is no such way.</summary>
    private protected virtual Tensor? MeanLossCore(Tensor z, Tensor logDet) => null;

    private void CheckLatents(Tensor z, Tensor? context)
    {
        CheckAlive();
        var owner = $"{GetName()}.{nameof(LogProb)}";
        Check.Batch(z, nameof(z), owner, Shape);
        Check.Like(z, nameof(z), owner, parameters().FirstOrDefault());
        Check.Context(context, ContextSize, z.shape[0], owner, z);
    }

    /// <summary>Draws <paramref name="count"/> latents of shape (N, ...). The caller disposes them.</summary>
    /// <param name="count">N, 0 or more.</param>
    /// <param name="temperature">Scales the spread; 1 is the density itself, smaller is closer to its mode. Finite, 0 or more.</param>
    /// <param name="dtype">The dtype of the latents, a floating-point one.</param>
    /// <param name="device">The device of the latents.</param>
    /// <param name="generator">The source of randomness; null is torch's default generator.</param>
    /// <param name="context">(N, C) for a conditional density, one row for each latent; null for any other.</param>
    /// <exception cref="ArgumentException">An argument is out of its range, or the context does not fit.</exception>
    /// <exception cref="InsufficientMemoryException">More latents than memory holds.</exception>
    public Tensor Sample(long count, double temperature, ScalarType dtype, Device device, Generator? generator, Tensor? context = null)
    {
        CheckAlive();
        var owner = $"{GetName()}.{nameof(Sample)}";
        ArgumentNullException.ThrowIfNull(device);
        Check.Available(device, nameof(device));
        if (!(temperature >= 0 && double.IsFinite(temperature)))
            throw new ArgumentOutOfRangeException(nameof(temperature), temperature, "The temperature must be finite and not negative.");
        if (dtype is not (ScalarType.Float16 or ScalarType.BFloat16 or ScalarType.Float32 or ScalarType.Float64))
            throw new ArgumentException($"Latents have a floating-point dtype; got {dtype}.", nameof(dtype));
        MemoryCheck.Samples(1, count, Shape.NumElements, dtype, owner);
        Check.Context(context, ContextSize, count, owner, null);
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(SampleCore(count, temperature, dtype, device, generator, context));
    }

    /// <summary>What <see cref="LogProb"/> gives. Its arguments are checked; it runs in a dispose scope.</summary>
    /// <param name="z">(N, ...).</param>
    /// <param name="context">(N, C) for a conditional density; null for any other.</param>
    /// <returns>(N).</returns>
    protected abstract Tensor LogProbCore(Tensor z, Tensor? context);

    /// <summary>What <see cref="Sample"/> gives. Its arguments are checked; it runs in a dispose scope.</summary>
    /// <param name="count">N.</param>
    /// <param name="temperature">Scales the spread; 1 is the density itself.</param>
    /// <param name="dtype">The dtype of the latents.</param>
    /// <param name="device">The device of the latents.</param>
    /// <param name="generator">The source of randomness, for <see cref="Noise"/>; null is torch's default generator.</param>
    /// <param name="context">(N, C) for a conditional density; null for any other.</param>
    /// <returns>(N, ...).</returns>
    protected abstract Tensor SampleCore(long count, double temperature, ScalarType dtype, Device device, Generator? generator,
        Tensor? context);

    /// <summary>The density as a tree of its parts, each with its class, shapes, properties and number
    /// of parameters; <see cref="IDescribed"/> lets a part say it in its own words.</summary>
    public override string ToString() => Describing.ModuleTree.Of(this);

    bool IDescribed.ShowsParts => true;

    (EventShape? Input, EventShape? Output) IDescribed.ShapesFor(EventShape? given) => (Shape, Shape);

    /// <summary>Checks the arguments of <see cref="IElementCdf.Cdf"/>.</summary>
    private protected void CheckForCdf(Tensor z, Tensor? context)
    {
        CheckAlive();
        var owner = $"{GetName()}.{nameof(IElementCdf.Cdf)}";
        Check.Batch(z, nameof(z), owner, Shape);
        Check.Like(z, nameof(z), owner, null);
        Check.Context(context, ContextSize, z.shape[0], owner, null);
    }

    /// <summary>Whether the density is disposed.</summary>
    internal bool IsDisposed => disposed;

    /// <summary>Throws if the density is disposed.</summary>
    internal void CheckAlive()
    {
        if (disposed) throw Check.Disposed(GetName());
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        disposed = true;
        base.Dispose(disposing);
    }

    /// <summary>As <see cref="Sample"/>, of arguments that nobody checked: a
    /// device without numbers may stand in for one that is not there.</summary>
    internal Tensor Draw(long count, double temperature, ScalarType dtype, Device device, Generator? generator, Tensor? context) =>
        SampleCore(count, temperature, dtype, device, generator, context);

    // of the densities and bijections that a module is made of, not of those that these are made of
    private static IEnumerable<Likelihood> Parts(nn.Module module) => module.children().SelectMany(child => child switch
    {
        Density density => [density.Likelihood],
        Bijection layer => [layer.Likelihood],
        _ => Parts(child),
    });

    /// <summary>Standard normals (N, D), scaled by a temperature.</summary>
    private protected Tensor Normals(long count, double temperature, ScalarType dtype, Device device, Generator? generator)
    {
        var noise = Noise.Normal([count, Shape.NumElements], dtype, device, generator);
        return temperature == 1 ? noise : noise.mul(Scalars.Of(temperature));
    }
}
