using RealNvp.Internal;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Applies a bijection to some features of a vector, and leaves
/// the others as they are; log|det| is that of the bijection.</summary>
/// <remarks>
/// For mixed spaces: <c>new SubsetLayer([6], [1, 2, 4, 5], new Standardization([4]))</c>
/// leaves two angles alone. It owns the bijection. State-dict keys: <c>bijection.*</c>.
/// </remarks>
public sealed class SubsetLayer : Composite
{
    private readonly Bijection bijection;
    private readonly FeatureGroups? groups;

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
            throw new ArgumentException(
                $"{nameof(SubsetLayer)} gives its bijection {features.Count} feature(s), {part}, and needs as many back; " +
                $"{bijection.GetName()} takes {bijection.InputShape?.ToString() ?? "any shape"} and gives {bijection.OutputShapeOf(part)}.",
                nameof(bijection));
        (Features, this.bijection) = (features, bijection);
        if (features.Count < count)
        {
            var others = features.Complement(count);
            groups = new FeatureGroups([.. new[] { features, others }.Select(f => f.Select(i => (long)i).ToArray())], AddConstant);
        }
        RegisterComponents();
    }

    /// <summary>The features that the bijection gets.</summary>
    public FeatureSet Features { get; }

    /// <summary>The bijection of these features; the layer owns it.</summary>
    public Bijection Bijection => bijection;

    /// <inheritdoc/>
    public override IReadOnlyList<CompositeStep> Steps => groups is null ? [CompositeStep.Apply(bijection)]
        : [CompositeStep.Rearrange(Part, Whole), CompositeStep.Apply(bijection), CompositeStep.Rearrange(Whole, Part)];

    /// <inheritdoc/>
    /// <remarks>The features that its bijection does not get are converted beside it.</remarks>
    public override bool ConvertsDtype => bijection.ConvertsDtype;

    /// <inheritdoc/>
    public override EventShape OutputShapeOf(EventShape input) => input;

    /// <inheritdoc/>
    public override EventShape InputShapeOf(EventShape output) => output;

    private Tensor[] Part(IReadOnlyList<Tensor> parts) => [groups!.Take(parts[0], 0), groups.Take(parts[0], 1)];

    private Tensor[] Whole(IReadOnlyList<Tensor> parts) => [groups!.Join([parts[0], parts[1].to(parts[0].dtype)])];
}
