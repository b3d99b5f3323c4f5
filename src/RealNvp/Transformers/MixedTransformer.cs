using RealNvp.Internal;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A map of its own for each channel or feature: splines with other bounds and tails, a circle here and the line there.</summary>
/// <remarks>
/// <para>Features with the same transformer go through it together, so as many calls are made as there are different ones.
/// P is the largest number of parameters; a map with fewer takes the first ones, and the rest has no effect.</para>
/// <para>State-dict keys: <c>parts.i.*</c>, in the order in which transformers first appear. It owns them.</para>
/// </remarks>
public sealed partial class MixedTransformer : ScalarTransformer
{
    private readonly ModuleList<ScalarTransformer> parts;
    private readonly ScalarTransformer[] ofFeature;
    private readonly Constants constants = new();
    private readonly FeatureGroups groups;

    /// <summary>Makes the transformer.</summary>
    /// <param name="transformers">The map of each transformed channel or feature,
    /// in their order; the same object for those that go together.</param>
    /// <exception cref="ArgumentException">No transformer, or null among them.</exception>
    public MixedTransformer(params IReadOnlyList<ScalarTransformer> transformers) : base(nameof(MixedTransformer))
    {
        ArgumentNullException.ThrowIfNull(transformers);
        if (transformers.Count == 0 || transformers.Contains(null!))
            throw new ArgumentException("A mixed transformer needs one transformer for each feature; got none, or null among them.",
                nameof(transformers));
        Check.Items(transformers, nameof(transformers), "Transformer");
        ofFeature = [.. transformers];
        ScalarTransformer[] distinct = [.. ofFeature.Distinct<ScalarTransformer>(ReferenceEqualityComparer.Instance)];
        parts = new ModuleList<ScalarTransformer>(distinct);
        var grouped = distinct.Select(part => Enumerable.Range(0, ofFeature.Length).Where(i => ReferenceEquals(ofFeature[i], part))
            .Select(i => (long)i).ToArray()).ToArray();
        using var scope = NewDisposeScope();
        groups = new FeatureGroups(grouped, t => constants.Add(t));
        ParametersPerElement = distinct.Max(part => part.ParametersPerElement);
        RegisterComponents();
    }

    /// <summary>Makes the map of what a mask of vectors transforms, feature by
    /// feature. One transformer for all of them comes back as it is.</summary>
    /// <param name="mask">The mask of a coupling, [D].</param>
    /// <param name="transformerOf">The map of a feature, by its index in the example; called for each feature that is transformed.</param>
    /// <exception cref="ArgumentException">A mask that is not for vectors.</exception>
    public static ScalarTransformer Of(Mask mask, Func<int, ScalarTransformer> transformerOf)
    {
        ArgumentNullException.ThrowIfNull(mask);
        ArgumentNullException.ThrowIfNull(transformerOf);
        if (mask.Shape.Count != 1)
            throw new ArgumentException($"A map of its own for each feature needs the mask of a vector [D]; got {mask.Shape}.",
                nameof(mask));
        var kept = mask.Kept.ToArray();
        var all = Enumerable.Range(0, kept.Length).Where(i => !kept[i]).Select(transformerOf).ToArray();
        return all.Length > 0 && all[0] is not null && Array.TrueForAll(all, t => ReferenceEquals(t, all[0])) ? all[0]
            : new MixedTransformer(all);
    }

    /// <inheritdoc/>
    public override int ParametersPerElement { get; }

    /// <inheritdoc/>
    public override bool IsIdentityAtZeroExactly => parts.All(part => part.IsIdentityAtZeroExactly);

    /// <inheritdoc/>
    public override Circle? CircleOf(int feature) => ofFeature[feature].CircleOf(feature);

    /// <inheritdoc/>
    public override ScalarTransformer ForFeature(int feature) => ofFeature[feature];

    /// <inheritdoc/>
    public override void CheckShape(EventShape shape)
    {
        if (shape.Count == 0 || (shape[0] != -1 && shape[0] != ofFeature.Length))
            throw new ArgumentException(
                $"{GetName()} has a map for each of {ofFeature.Length} feature(s), but transforms {shape}. Make it with " +
                $"{nameof(MixedTransformer)}.{nameof(Of)}(mask, feature => ...).", nameof(shape));
        for (var i = 0; i < groups.Count; i++) parts[i].CheckShape(EventShape.Create([groups.SizeOf(i), .. shape.Skip(1)]));
    }

    /// <inheritdoc/>
    public override (Tensor Value, Tensor? LogDerivative) Forward(Tensor x, Tensor parameters) => Apply(x, parameters, inverse: false);

    /// <inheritdoc/>
    public override (Tensor Value, Tensor? LogDerivative) Inverse(Tensor y, Tensor parameters) => Apply(y, parameters, inverse: true);

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

    private (Tensor, Tensor?) Apply(Tensor input, Tensor parameters, bool inverse)
    {
        CheckParameters(input, inverse ? "y" : "x", parameters);
        if (input.shape[1] != ofFeature.Length)
            throw new ArgumentException(
                $"{GetName()} has a map for each of {ofFeature.Length} feature(s); got {EventShape.Format(input.shape)}.", nameof(input));
        using var scope = NewDisposeScope();
        // (N, P, C, ...)
        var all = parameters.unflatten(1, [ParametersPerElement, ofFeature.Length]);
        var (values, logDerivatives) = (new Tensor[groups.Count], new Tensor?[groups.Count]);
        for (var i = 0; i < groups.Count; i++)
        {
            var part = parts[i];
            var own = groups.Take(all.narrow(1, 0, part.ParametersPerElement), i, 2).flatten(1, 2);
            var some = groups.Take(input, i);
            (values[i], logDerivatives[i]) = inverse ? part.Inverse(some, own) : part.Forward(some, own);
        }
        var value = scope.MoveToOuter(groups.Join(values));
        if (Array.TrueForAll(logDerivatives, l => l is null)) return (value, null);
        return (value, scope.MoveToOuter(groups.Join([.. logDerivatives.Select((l, i) => l ?? zeros_like(values[i]))])));
    }
}
