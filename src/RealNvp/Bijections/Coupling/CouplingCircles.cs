using static TorchSharp.torch;

namespace RealNvp;

/// <summary>What a coupling takes as circles: what its map changes on a circle, and what it keeps where its network sees no cut.</summary>
internal static class CouplingCircles
{
    public static IReadOnlyList<Circle> Of(EventShape shape, Mask mask, ConditionerSizes sizes, ScalarTransformer transformer,
        nn.Module network)
    {
        if (!shape.IsFixed) return [];
        var changed = sizes.ChangedFeatures.Select((channel, i) => transformer.CircleOf(i)?.At(channel)).OfType<Circle>();
        // the mask, where it is an input, is none of the example's channels
        var kept = ((network as INetworkShapes)?.CircularInputs ?? []).Where(c => c.Feature < sizes.KeptFeatures.Count)
            .Select(c => c.At(sizes.KeptFeatures[c.Feature]));
        (Circle Channel, bool Kept)[] all = [.. changed.Select(c => (c, false)), .. kept.Select(c => (c, true))];
        if (all.Length == 0) return [];
        var keeps = mask.BroadcastTo(shape);
        var block = keeps.Length / (int)shape[0];
        return [.. all.SelectMany(c => Enumerable.Range(c.Channel.Feature * block, block).Where(e => keeps[e] == c.Kept)
            .Select(c.Channel.At)).OrderBy(c => c.Feature)];
    }
}
