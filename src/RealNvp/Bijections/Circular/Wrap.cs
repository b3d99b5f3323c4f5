using RealNvp.Internal;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Takes values of the line onto a circle [low, high) by whole
/// turns: z = low + (x − low) mod (high − low); log|det| = 0.</summary>
/// <remarks>
/// <para>For the begin of a flow on angles: data in any turn have the density
/// of the same angle on the circle, and samples lie in [low, high).</para>
/// <para>Inverse is the same map, so it gives the representative in [low,
/// high): Inverse(Forward(x)) is x up to whole turns. It has no weights.</para>
/// </remarks>
public sealed partial class Wrap : Bijection
{
    private readonly CircleElements elements;

    /// <summary>Makes the layer.</summary>
    /// <param name="inputShape">The shape of one example, all sizes known.</param>
    /// <param name="features">The elements that are circles, by index in the
    /// flattened example; empty for all. Others stay as they are.</param>
    /// <param name="low">The lower edge, where the circle is cut.</param>
    /// <param name="high">The upper edge, one turn on.</param>
    /// <exception cref="ArgumentException">A feature that the shape does not have, or edges that are no finite interval.</exception>
    public Wrap(EventShape inputShape, FeatureSet features = default, double low = -Math.PI, double high = Math.PI)
        : base(nameof(Wrap), inputShape)
    {
        elements = new CircleElements(inputShape, features, low, high, AddConstant, nameof(Wrap));
        RegisterComponents();
    }

    internal override bool KeepsDtype => true;

    /// <inheritdoc/>
    public override IReadOnlyList<Circle> CircularFeatures => elements.Circles;

    /// <inheritdoc/>
    public override IReadOnlyList<Circle> CirclesThrough(IReadOnlyList<Circle> circles, bool inverse = false) => elements.Through(circles);

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) => (elements.Wrapped(x), null);

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => (elements.Wrapped(z), null);
}
