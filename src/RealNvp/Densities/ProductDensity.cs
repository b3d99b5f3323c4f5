using RealNvp.Internal;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Independent densities of parts of a vector: log p(z) = Σ log
/// pᵢ(zᵢ). For mixed spaces: normal here, uniform on a circle there.</summary>
/// <remarks>
/// <c>new ProductDensity([6], ([0, 3], new UniformBox([2], -Math.PI, Math.PI)), ([1, 2, 4, 5], new
/// StandardNormal([4])))</c>. Parts that take a context share it. It owns its parts. State-dict keys: <c>parts.i.*</c>.
/// </remarks>
public sealed partial class ProductDensity : Density
{
    private readonly ModuleList<Density> parts;
    private readonly FeatureSet[] features;
    private readonly Constants constants = new();
    private readonly FeatureGroups groups;

    /// <summary>Makes the density.</summary>
    /// <param name="shape">[D], the shape of one latent.</param>
    /// <param name="parts">The features of each part, and its density of vectors of as many; each feature is in one part.</param>
    /// <exception cref="ArgumentException">A feature in no part or in two, a
    /// density of another shape, or two different context sizes.</exception>
    public ProductDensity(EventShape shape, params IReadOnlyList<(FeatureSet Features, Density Density)> parts)
        : base(nameof(ProductDensity), shape)
    {
        ArgumentNullException.ThrowIfNull(parts);
        var count = Check.Vector(shape, nameof(shape), nameof(ProductDensity));
        foreach (var (some, density) in parts)
        {
            if (density is null) throw new ArgumentNullException(nameof(parts), "A part has no density.");
            ModuleLife.Alive(density, nameof(parts), nameof(ProductDensity));
            some.Require(count, nameof(parts), nameof(ProductDensity));
            if (density.Shape != EventShape.Create(some.Count))
                throw new ArgumentException(
                    $"The part {some} has {some.Count} feature(s); its {density.GetName()} is for {density.Shape}. Make it for " +
                    $"({some.Count},).", nameof(parts));
        }
        var all = parts.SelectMany(p => p.Features).ToArray();
        if (all.Length != count || all.Distinct().Count() != count)
            throw new ArgumentException(
                $"Each of the features 0 to {count - 1} belongs to one part; got {string.Join(" and ", parts.Select(p => p.Features))}.",
                nameof(parts));
        var contexts = parts.Select(p => p.Density.ContextSize).Where(c => c > 0).Distinct().ToArray();
        if (contexts.Length > 1)
            throw new ArgumentException($"All conditional parts take the same context; got context sizes {string.Join(" and ", contexts)}.",
                nameof(parts));
        ContextSize = contexts.FirstOrDefault();
        this.parts = new ModuleList<Density>([.. parts.Select(p => p.Density)]);
        features = [.. parts.Select(p => p.Features)];
        using var scope = NewDisposeScope();
        groups = new FeatureGroups([.. features.Select(f => f.Select(i => (long)i).ToArray())], t => constants.Add(t));
        RegisterComponents();
    }

    /// <summary>The densities of the parts; this one owns them.</summary>
    public IReadOnlyList<Density> Parts => [.. parts];

    /// <summary>The features of each part.</summary>
    public IReadOnlyList<FeatureSet> PartFeatures => features;

    /// <inheritdoc/>
    public override long ContextSize { get; }

    /// <inheritdoc/>
    public override bool HasBoundedSupport => parts.Any(p => p.HasBoundedSupport);

    /// <inheritdoc/>
    public override IReadOnlyList<Circle> CircularFeatures =>
        [.. parts.SelectMany((p, i) => p.CircularFeatures.Select(c => c.At(features[i][c.Feature])))];

    /// <inheritdoc/>
    protected override Tensor LogProbCore(Tensor z, Tensor? context)
    {
        using var scope = NewDisposeScope();
        var total = parts[0].LogProb(groups.Take(z, 0), For(0, context));
        for (var i = 1; i < groups.Count; i++) total = total.add(parts[i].LogProb(groups.Take(z, i), For(i, context)), Scalars.One);
        return scope.MoveToOuter(total);
    }

    /// <inheritdoc/>
    protected override Tensor SampleCore(long count, double temperature, ScalarType dtype, Device device, Generator? generator,
        Tensor? context)
    {
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(groups.Join([.. parts.Select((part, i) => part.Sample(count, temperature, dtype, device, generator,
            For(i, context)))]));
    }

    /// <inheritdoc/>
    protected override void _toEpilog(ScalarType? dtype, Device? device, bool non_blocking)
    {
        base._toEpilog(dtype, device, non_blocking);
        constants.To(dtype, device);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) constants.Dispose();
        base.Dispose(disposing);
    }

    /// <inheritdoc/>
    protected internal override Tensor? OutsideSupport(Tensor z)
    {
        var outside = new Tensor[groups.Count];
        for (var i = 0; i < outside.Length; i++)
        {
            var own = groups.Take(z, i);
            if ((parts[i].HasBoundedSupport ? parts[i].OutsideSupport(own) : zeros_like(own, ScalarType.Bool)) is not { } some) return null;
            outside[i] = some;
        }
        return groups.Join(outside);
    }

    private Tensor? For(int part, Tensor? context) => parts[part].ContextSize > 0 ? context : null;
}
