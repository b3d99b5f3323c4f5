using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>Takes values onto a circle [low, high): whole turns are added or taken away.</summary>
internal sealed class CircleWrap(double low, double high)
{
    private readonly Scalar low = Scalars.Of(low), high = Scalars.Of(high), period = Scalars.Of(high - low);

    /// <summary>The value on the circle; its derivative is 1.</summary>
    public Tensor Of(Tensor x)
    {
        var within = x.ge(low).logical_and(x.lt(high));
        var turned = x.sub(low).remainder(period).add(low, Scalars.One);
        // rounding may leave the circle; a clamp would take the gradient
        var position = turned.detach();
        return x.where(within, turned.add(position.clamp(low, high).sub(position), Scalars.One));
    }
}

/// <summary>The circles among the elements of an example, as a layer has them: all alike.</summary>
internal sealed class CircleElements
{
    private readonly CircleWrap wrap;
    private readonly Constant? mask;
    private readonly FeatureSet features;

    /// <param name="shape">The shape of one example, all sizes known.</param>
    /// <param name="features">Which elements; empty for all.</param>
    /// <param name="low">The lower edge.</param>
    /// <param name="high">The upper edge.</param>
    /// <param name="constant">Registers a tensor that follows the layer.</param>
    /// <param name="owner">Whom errors name.</param>
    public CircleElements(EventShape shape, FeatureSet features, double low, double high, Func<Tensor, Constant> constant, string owner)
    {
        Circle.CheckEdges(low, high);
        if (!shape.IsFixed) throw new ArgumentException($"{owner} needs a shape with all sizes known; got {shape}.", nameof(shape));
        var count = shape.NumElements;
        if (features.Count == 0) features = FeatureSet.All(count);
        features.Require(count, nameof(features), owner);
        (this.features, wrap) = (features, new CircleWrap(low, high));
        Circles = [.. features.Select(f => new Circle(f, low, high))];
        if (features.Count == count) return;
        var among = new bool[count];
        foreach (var feature in features) among[feature] = true;
        mask = constant(tensor(among, shape.ToArray(), device: CPU));
    }

    public IReadOnlyList<Circle> Circles { get; }

    public FeatureSet Features => features;

    /// <summary>Which elements are on circles, of the shape of an example; null for all.</summary>
    public Tensor? Among => mask?.Value;

    /// <summary>The elements on their circles, the others as they are.</summary>
    public Tensor Wrapped(Tensor x) => mask is null ? wrap.Of(x) : wrap.Of(x).where(mask.Value, x);

    /// <summary>The circles that a layer keeps which leaves other elements as they are.</summary>
    public IReadOnlyList<Circle> Through(IReadOnlyList<Circle> circles) =>
        [.. circles.Where(c => !features.Contains(c.Feature) || Circles.Contains(c))];
}
