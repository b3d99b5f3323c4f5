using RealNvp.Internal;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Applies a bijection to some features of a vector, and leaves the others as they are; log|det| is that of the bijection.</summary>
/// <remarks>
/// For mixed spaces: <c>new SubsetLayer([6], [1, 2, 4, 5], new Standardization([4]))</c> leaves two angles alone. It owns the bijection. State-dict keys:
/// <c>bijection.*</c>.
/// </remarks>
public sealed class SubsetLayer : Bijection
{
    private readonly Bijection bijection;
    private readonly Constant? some, rest, merge;

    /// <summary>Makes the layer.</summary>
    /// <param name="inputShape">[D].</param>
    /// <param name="features">The K features that the bijection gets, in ascending order.</param>
    /// <param name="bijection">A bijection of vectors [K] that gives vectors [K]; its context is the layer's.</param>
    /// <exception cref="ArgumentException">A feature that the shape does not have, or a bijection for other shapes.</exception>
    public SubsetLayer(EventShape inputShape, FeatureSet features, Bijection bijection) : base(nameof(SubsetLayer), inputShape)
    {
        ArgumentNullException.ThrowIfNull(bijection);
        ModuleLife.Alive(bijection, nameof(bijection), nameof(SubsetLayer));
        var count = Check.Vector(inputShape, nameof(inputShape), nameof(SubsetLayer));
        features.Require(count, nameof(features), nameof(SubsetLayer));
        EventShape part = [features.Count];
        if ((bijection.InputShape is { } wanted && !wanted.Matches(part.ToArray())) || bijection.OutputShapeOf(part) != part)
            throw new ArgumentException($"{nameof(SubsetLayer)} gives its bijection {features.Count} feature(s), {part}, and needs as many back; {bijection.GetName()} takes {bijection.InputShape?.ToString() ?? "any shape"} and gives {bijection.OutputShapeOf(part)}.", nameof(bijection));
        (Features, this.bijection) = (features, bijection);
        if (features.Count < count)
        {
            var others = features.Complement(count);
            var back = new long[count];
            for (var i = 0; i < features.Count; i++) back[features[i]] = i;
            for (var i = 0; i < others.Count; i++) back[others[i]] = features.Count + i;
            some = AddConstant(tensor(features.Select(i => (long)i).ToArray(), device: CPU));
            rest = AddConstant(tensor(others.Select(i => (long)i).ToArray(), device: CPU));
            merge = AddConstant(tensor(back, device: CPU));
        }
        RegisterComponents();
    }

    /// <summary>The features that the bijection gets.</summary>
    public FeatureSet Features { get; }

    /// <summary>The bijection of these features; the layer owns it.</summary>
    public Bijection Bijection => bijection;

    /// <inheritdoc/>
    public override long ContextSize => bijection.ContextSize;

    /// <inheritdoc/>
    public override IReadOnlyList<Circle> CircularFeatures => [.. bijection.CircularFeatures.Select(c => c.At(Features[c.Feature]))];

    /// <inheritdoc/>
    protected internal override bool KeepsInput(bool inverse) => bijection.KeepsInput(inverse);

    /// <inheritdoc/>
    protected internal override void CheckData(Tensor x, string owner) => bijection.CheckData(Some(x), owner);

    /// <inheritdoc/>
    protected internal override Tensor? OutsideDomain(Tensor x) => bijection.OutsideDomain(Some(x));

    /// <inheritdoc/>
    public override IReadOnlyList<Circle> CirclesThrough(IReadOnlyList<Circle> circles, bool inverse = false)
    {
        ArgumentNullException.ThrowIfNull(circles);
        var position = Features.Select((feature, i) => (feature, i)).ToDictionary(p => p.feature, p => p.i);
        var inside = bijection.CirclesThrough([.. circles.Where(c => position.ContainsKey(c.Feature)).Select(c => c.At(position[c.Feature]))], inverse);
        return [.. circles.Where(c => !position.ContainsKey(c.Feature)), .. inside.Select(c => c.At(Features[c.Feature]))];
    }

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Tensor? context) => Apply(x, context, inverse: false);

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Tensor? context) => Apply(z, context, inverse: true);

    private Tensor Some(Tensor x) => some is null ? x : x.index_select(1, some.Value);

    private (Tensor, Tensor?) Apply(Tensor input, Tensor? context, bool inverse)
    {
        var (value, logDet) = bijection.Run(Some(input), context, inverse);
        if (some is null) return (value, logDet);
        return (cat([value, input.index_select(1, rest!.Value)], 1).index_select(1, merge!.Value), logDet);
    }
}
