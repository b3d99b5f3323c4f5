namespace RealNvp.Layers;

/// <summary>Follows the circles of a composition from data to latents: each must stay one.</summary>
internal sealed class CirclePath
{
    private readonly List<(Bijection Layer, bool Inverse)> passed = [];
    private readonly List<(Circle Circle, Bijection From)> circles = [];

    /// <summary>The circles of the latents of a bijection, each with the layer that
    /// it is from. Throws if a layer cuts a circle that another one has.</summary>
    /// <exception cref="ArgumentException">Which layer, which circle, and what to do.</exception>
    public static IReadOnlyList<(Circle Circle, Bijection From)> Through(Bijection bijection)
    {
        var path = new CirclePath();
        bijection.FollowCircles(path, inverse: false);
        return path.circles;
    }

    /// <summary>One layer, which is made of no others.</summary>
    public void Step(Bijection layer, bool inverse)
    {
        var own = layer.CircularFeatures;
        // what an inverted layer gets is what it would give
        var entering = inverse ? layer.CirclesThrough(own) : own;
        foreach (var circle in entering)
        {
            if (circles.Exists(c => c.Circle == circle)) continue;
            var owner = layer.OwnerOf(inverse ? layer.CirclesThrough([circle], inverse: true).FirstOrDefault(circle) : circle);
            var at = circle;
            for (var i = passed.Count - 1; i >= 0; i--)
            {
                var before = passed[i].Layer.CirclesThrough([at], !passed[i].Inverse);
                if (before.Count == 0) throw Cut(passed[i].Layer.CutterOf(at, !passed[i].Inverse), circle, owner, "after it");
                at = before[0];
            }
            circles.Add((circle, owner));
        }
        for (var i = 0; i < circles.Count; i++)
        {
            var (circle, from) = circles[i];
            var through = layer.CirclesThrough([circle], inverse);
            if (through.Count == 0) throw Cut(layer.CutterOf(circle, inverse), circle, from, "before it");
            circles[i] = (through[0], from);
        }
        passed.Add((layer, inverse));
    }

    /// <summary>What is said of a layer that cuts a circle of another one.</summary>
    public static ArgumentException Cut(Bijection cutting, Circle circle, Bijection owner, string where) => new(
        $"{cutting.GetName()} cuts a circle: {circle}, which {owner.GetName()} {where} takes onto itself, is a number of the line to " +
            $"it, so the density would jump where the circle is cut. Let networks see its cos and sin ({nameof(CircularInput)}), "
        + $"apply the layer to the other features ({nameof(SubsetLayer)}), or override {nameof(Bijection.CirclesThrough)} in a layer of " +
            $"yours that keeps circles.");
}
