using static TorchSharp.torch;

namespace RealNvp.Layers;

/// <summary>A rearrangement, or layers in a row that are applied to the same part in the same direction.</summary>
internal sealed class StepGroup(CompositeStep? move, Bijection[] layers, bool isInverse, int part)
{
    private readonly Bijection[] backwards = [.. layers.Reverse()];

    /// <summary>The rearrangement; null for layers.</summary>
    public CompositeStep? Move => move;

    /// <summary>The layers in the order of the composite's Forward.</summary>
    public Bijection[] Layers => layers;

    /// <summary>Whether the composite's Forward takes their inverses.</summary>
    public bool IsInverse => isInverse;

    public int Part => part;

    /// <summary>The layers in the order in which a direction of the composite applies them.</summary>
    public Bijection[] InOrder(bool inverse) => inverse ? backwards : layers;
}

/// <summary>The steps of a composite in a form for its folds.</summary>
internal sealed partial class StepPlan
{
    private readonly StepGroup[] backwards;
    private readonly string owner;
    private readonly EventShape? input;

    /// <exception cref="ArgumentException">No step, a layer twice, different contexts, or shapes that do not fit.</exception>
    public StepPlan(IReadOnlyList<CompositeStep> steps, EventShape? input, string owner)
    {
        Internal.Check.Items(steps, nameof(steps), "Step");
        (this.owner, this.input, Steps) = (owner, input, [.. steps]);
        if (Steps.Length == 0) throw new ArgumentException($"{owner} needs at least one step; got none.", nameof(steps));
        Layers = [.. Steps.Select(s => s.Layer).OfType<Bijection>()];
        if (Layers.Distinct(ReferenceEqualityComparer.Instance).Count() != Layers.Length)
            throw new ArgumentException($"{owner} has each layer in one step; the same object came twice. Make a second layer instead.",
                nameof(steps));
        ContextSize = CommonContext(Layers, owner, nameof(steps));
        Groups = Grouped(Steps);
        backwards = [.. Groups.Reverse()];
        Rearranges = Array.Exists(Groups, g => g.Move is not null);
        if (input is { IsFixed: true } shape) Through(shape, inverse: false);
    }

    public CompositeStep[] Steps { get; }

    public Bijection[] Layers { get; }

    public StepGroup[] Groups { get; }

    public long ContextSize { get; }

    public bool Rearranges { get; }

    public StepGroup[] InOrder(bool inverse) => inverse ? backwards : Groups;

    /// <summary>The one context size that all conditional layers share; 0 if none is conditional.</summary>
    public static long CommonContext(IEnumerable<Bijection> layers, string owner, string parameter)
    {
        var sizes = layers.Select(l => l.ContextSize).Where(c => c > 0).Distinct().ToArray();
        return sizes.Length <= 1
            ? sizes.FirstOrDefault()
            : throw new ArgumentException(
                $"All conditional layers of a {owner} take the same context; got context sizes {string.Join(" and ", sizes)}.", parameter);
    }

    /// <summary>The layers that meet the values of the data as they are: the first
    /// one, and as long as layers only move values, the ones behind.</summary>
    public IEnumerable<Bijection> Meeting()
    {
        var blocked = new HashSet<int>();
        foreach (var group in Groups)
        {
            // behind it nobody knows which values have been changed
            if (group.Move is not null && blocked.Count > 0) yield break;
            foreach (var layer in group.Layers)
            {
                if (blocked.Contains(group.Part)) break;
                if (!group.IsInverse) yield return layer;
                if (!layer.MovesValues) blocked.Add(group.Part);
            }
            if (blocked.Count > 0 && !Rearranges) yield break;
        }
    }

    /// <summary>The same with the values that each of them meets; behind layers that move values in the shape from before them.</summary>
    public IEnumerable<(Bijection Layer, Tensor Part)> Meeting(Tensor x)
    {
        var (blocked, moved) = (new HashSet<int>(), false);
        IReadOnlyList<Tensor> parts = [x];
        foreach (var group in Groups)
        {
            if (group.Move is { } move)
            {
                if (blocked.Count > 0 || moved) yield break;
                parts = move.Move(parts, inverse: false);
            }
            foreach (var layer in group.Layers)
            {
                if (blocked.Contains(group.Part)) break;
                if (!group.IsInverse) yield return (layer, parts[group.Part]);
                if (!layer.MovesValues) blocked.Add(group.Part);
                moved = true;
            }
        }
    }

    private static StepGroup[] Grouped(CompositeStep[] steps)
    {
        var groups = new List<StepGroup>();
        for (var i = 0; i < steps.Length;)
        {
            var (first, end) = (steps[i], i + 1);
            if (first.Layer is null) groups.Add(new StepGroup(first, [], false, 0));
            else
            {
                while (end < steps.Length && steps[end].Layer is not null && steps[end].Part == first.Part
                        && steps[end].IsInverse == first.IsInverse)
                    end++;
                groups.Add(new StepGroup(null, [.. steps[i..end].Select(s => s.Layer!)], first.IsInverse, first.Part));
            }
            i = end;
        }
        return [.. groups];
    }
}
