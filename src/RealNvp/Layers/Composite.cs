using RealNvp.Internal;
using RealNvp.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A bijection that is made of others: it says its steps, and everything else follows from them.</summary>
/// <remarks>
/// <para>Forward applies the steps in their order, Inverse undoes them backwards, and the log-determinants
/// of the layers add up. <see cref="Flow.ReversibleTraining"/> takes the layers one by one, so memory does
/// not grow with their number; errors name the layer at fault; a trainer fits what is to be fitted to data;
/// integers, domains, dtypes, circles, contexts and what the layers say of themselves are passed on.</para>
/// <para>To write one, hold the layers in fields (a list in a <c>ModuleList</c>), override
/// <see cref="Steps"/>, and call <c>RegisterComponents()</c> last in the constructor. A layer
/// that no field holds is registered as <c>steps_i</c>. The composite owns its layers.</para>
/// </remarks>
public abstract partial class Composite : Bijection, IDescribed
{
    private StepPlan? plan;

    /// <summary>Makes a composite for examples of one shape.</summary>
    /// <param name="name">The name that errors show, usually the class name.</param>
    /// <param name="inputShape">The shape of x without the batch; null if any shape will do.</param>
    protected Composite(string name, EventShape? inputShape = null) : base(name, inputShape) { }

    /// <summary>What Forward does, in its order; the same each time. It is
    /// asked for once, after the constructor has set the fields.</summary>
    public abstract IReadOnlyList<CompositeStep> Steps { get; }

    /// <inheritdoc/>
    /// <remarks>The one context size that all conditional layers share; 0 if none is conditional.</remarks>
    public override long ContextSize => Plan.ContextSize;

    /// <inheritdoc/>
    /// <remarks>By itself what the layers give, and for rearrangements what these make of an empty batch.</remarks>
    public override EventShape OutputShapeOf(EventShape input) => Plan.Through(input, inverse: false);

    /// <inheritdoc/>
    public override EventShape InputShapeOf(EventShape output) => Plan.Through(output, inverse: true);

    /// <inheritdoc/>
    public override bool IsRepeatable => Array.TrueForAll(Plan.Layers, l => l.IsRepeatable);

    /// <inheritdoc/>
    public override bool ConvertsDtype => Converting > 0;

    internal override bool KeepsDtype => Array.TrueForAll(Plan.Layers, l => l.KeepsDtype);

    // how many layers meet the data in their own dtype: the one that converts, and those before it that keep it; 0 if none converts
    private int Converting
    {
        get
        {
            if (Plan.Groups is not [{ IsInverse: false, Layers: var layers }, ..]) return 0;
            var keep = layers.TakeWhile(l => l.KeepsDtype && !l.ConvertsDtype).Count();
            return keep < layers.Length && layers[keep].ConvertsDtype ? keep + 1 : 0;
        }
    }

    /// <inheritdoc/>
    public override bool HasFastForward =>
        Plan.Groups.All(g => Array.TrueForAll(g.Layers, l => g.IsInverse ? l.HasFastInverse : l.HasFastForward));

    /// <inheritdoc/>
    public override bool HasFastInverse =>
        Plan.Groups.All(g => Array.TrueForAll(g.Layers, l => g.IsInverse ? l.HasFastForward : l.HasFastInverse));

    /// <inheritdoc/>
    public override bool MovesValues => Array.TrueForAll(Plan.Layers, l => l.MovesValues);

    /// <inheritdoc/>
    public override bool KeepsLength => Array.TrueForAll(Plan.Layers, l => l.KeepsLength);

    /// <inheritdoc/>
    public override bool AcceptsIntegers => Plan.Meeting().Any(l => l.AcceptsIntegers);

    /// <summary>What a layer takes as a circle, if all steps before it and after it do.</summary>
    public override IReadOnlyList<Circle> CircularFeatures => Plan.CircularFeatures;

    /// <inheritdoc/>
    public override IReadOnlyList<Circle> CirclesThrough(IReadOnlyList<Circle> circles, bool inverse = false)
    {
        ArgumentNullException.ThrowIfNull(circles);
        return Plan.CirclesThrough(circles, inverse);
    }

    IEnumerable<(nn.Module Part, EventShape Input)> IDescribed.PartShapesFor(EventShape? given) =>
        (InputShape is { IsFixed: true } own ? own : given) is { } shape
            ? Plan.Reaching(shape).Select(r => ((nn.Module)r.Layer, r.Input))
            : [];

    internal override Bijection Lengthener => Array.Find(Plan.Layers, l => !l.KeepsLength)?.Lengthener ?? this;

    internal override void FollowCircles(CirclePath path, bool inverse)
    {
        // a rearrangement moves circles to other places, which the path does not follow: the plan does
        if (Plan.Rearranges)
        {
            Plan.CheckCircles();
            base.FollowCircles(path, inverse);
        }
        else
            foreach (var group in Plan.InOrder(inverse))
                foreach (var layer in group.InOrder(inverse)) layer.FollowCircles(path, group.IsInverse != inverse);
    }

    internal override Bijection OwnerOf(Circle circle) => Plan.OwnerOf(circle) ?? this;

    internal override Bijection CutterOf(Circle circle, bool inverse) => Plan.CutterOf(circle, inverse) ?? this;

    /// <inheritdoc/>
    protected internal override void CheckData(Tensor x, string owner)
    {
        using var scope = NewDisposeScope();
        foreach (var (layer, part) in Plan.Meeting(x)) layer.CheckData(part, owner);
    }

    /// <inheritdoc/>
    protected internal override Tensor? OutsideDomain(Tensor x)
    {
        Tensor? outside = null;
        foreach (var (layer, part) in Plan.Meeting(x))
            if (layer.OutsideDomain(part) is { } here) outside = outside?.logical_or(here) ?? here;
        return outside;
    }

    /// <summary>Registers the fields, and the layers of the steps that no field holds.</summary>
    /// <exception cref="ArgumentException">The steps do not fit together.</exception>
    protected override void RegisterComponents()
    {
        base.RegisterComponents();
        plan = null;
        var known = modules().ToHashSet<nn.Module>(ReferenceEqualityComparer.Instance);
        for (var i = 0; i < Plan.Steps.Length; i++)
            if (Plan.Steps[i].Layer is { } layer && !known.Contains(layer)) register_module($"steps_{i}", layer);
    }

    private StepPlan Plan => plan ??= new StepPlan(Steps, InputShape, GetName());
}
