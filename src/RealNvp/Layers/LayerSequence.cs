using RealNvp.Internal;
using RealNvp.Operations;
using static TorchSharp.torch;

namespace RealNvp.Layers;

/// <summary>Layers one after the other: the one loop over them.</summary>
internal static class LayerSequence
{
    /// <summary>Runs layers in the given order, frees each value as soon as the next one is there, and sums the log-determinants.</summary>
    public static (Tensor Value, Tensor? LogDet) Run(Bijection[] layers, Tensor input, Pass pass, bool inverse)
    {
        var value = input;
        Tensor? total = null;
        // layers that others run, or that are computed again, are not where autograd would hear of them
        var watch = pass.State is { Watch: { } listening, Runner: null, Tape: null } && is_grad_enabled() ? listening : null;
        for (var i = 0; i < layers.Length;)
        {
            var end = layers.Length;
            if (watch is not null && layers[i] is not Composite)
            {
                if (value.requires_grad && watch.ShouldBegin(layers[i]))
                {
                    var marked = StretchMark.Apply(value, watch, watch.Begin())[0];
                    if (!ReferenceEquals(value, input)) value.Dispose();
                    value = marked;
                }
                end = i + watch.CountUntilFull(layers, i);
                watch.Note(layers[i]);
            }
            var (next, logDet, count) = Next(layers, i, end, value, pass, inverse);
            for (var more = i + 1; more < i + count; more++) watch?.Note(layers[more]);
            i += count;
            if (!ReferenceEquals(value, input) && !ReferenceEquals(value, next)) value.Dispose();
            value = next;
            total = Add(total, logDet);
        }
        return (value, total);
    }

    /// <summary>The sum of two log-determinants, null being 0. Both are used up.</summary>
    public static Tensor? Add(Tensor? total, Tensor? logDet)
    {
        if (total is null || logDet is null) return total ?? logDet;
        using (total)
        using (logDet)
            return total.add(logDet, Scalars.One);
    }

    // as many layers as go in one: all that somebody else runs, two that go together, or one. No further than the end, so that what
    // one process can do in one and another cannot (a processor, a kernel that is off) changes no part of the gradients
    private static (Tensor Value, Tensor? LogDet, int Count) Next(Bijection[] layers, int at, int end, Tensor value, Pass pass,
        bool inverse)
    {
        if (pass.State?.Runner is { } runner)
        {
            var taken = at;
            while (taken < layers.Length && runner.Takes(layers[taken])) taken++;
            var (y, det) = taken > at ? runner.Run(layers[at..taken], value, pass, inverse) : layers[at].Run(value, pass, inverse);
            return (y, det, Math.Max(1, taken - at));
        }
        if (LayerChain.Run(layers, at, end, value, pass, inverse) is { } chain) return (chain.Value, chain.LogDet, chain.Count);
        if (at + 1 < end && (inverse ? layers[at].RunJoined(layers[at + 1], value, pass, inverse)
            : layers[at + 1].RunJoined(layers[at], value, pass, inverse)) is { } pair)
            return (pair.Value, pair.LogDet, 2);
        var (next, logDet) = layers[at].Run(value, pass, inverse);
        return (next, logDet, 1);
    }
}
