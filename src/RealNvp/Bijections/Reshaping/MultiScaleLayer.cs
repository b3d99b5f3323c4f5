using RealNvp.Layers;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// The multi-scale architecture: after each scale but the last, half of the channels leave as latents and the other half goes on
/// (Real NVP, arXiv 1605.08803, section 3.6, equations 13 to 16). The result is one latent vector of as many elements as x.
/// </summary>
/// <remarks>
/// <para>z = (z₁, z₂, ..., z_L), each part flattened, in the order in which the parts leave; the last scale's output is z_L.
/// <see cref="Split"/> and <see cref="Join"/> go between the vector (N, D) and the parts. log|det| is the sum over the scales.</para>
/// <para>The first half of the channels goes on, the second half leaves, as in the original code. The layer owns its scales.</para>
/// </remarks>
public sealed class MultiScaleLayer : Composite
{
    private readonly TorchSharp.Modules.ModuleList<Bijection> scales;
    private readonly Bijection[] steps;

    /// <summary>Makes a multi-scale bijection.</summary>
    /// <param name="inputShape">[C, H, W], all sizes known.</param>
    /// <param name="scales">At least one. Each maps what the scale before
    /// it kept; all but the last give an even number of channels.</param>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public MultiScaleLayer(EventShape inputShape, params IReadOnlyList<Bijection> scales) : base(nameof(MultiScaleLayer), inputShape)
    {
        Internal.Check.Items(scales, nameof(scales), "Scale");
        if (scales.Count == 0) throw new ArgumentException("A multi-scale bijection needs at least one scale; got none.", nameof(scales));
        LatentShapes = Parts(inputShape, scales);
        StepPlan.CommonContext(scales, nameof(MultiScaleLayer), nameof(scales));
        steps = [.. scales];
        this.scales = new TorchSharp.Modules.ModuleList<Bijection>(steps);
        RegisterComponents();
    }

    /// <summary>The scales, from the one that meets the data to the last.</summary>
    public IReadOnlyList<Bijection> Scales => steps;

    /// <summary>The shape of each part of the latent, in the order in which the parts leave.</summary>
    public IReadOnlyList<EventShape> LatentShapes { get; }

    /// <inheritdoc/>
    public override IReadOnlyList<CompositeStep> Steps =>
        [.. steps.SelectMany((scale, i) => i == steps.Length - 1 ? (CompositeStep[])[CompositeStep.Apply(scale)]
            : [CompositeStep.Apply(scale), CompositeStep.Rearrange(Leave, Return)]), CompositeStep.Rearrange(Flat, Parted)];

    /// <inheritdoc/>
    public override EventShape OutputShapeOf(EventShape input) => [input.NumElements];

    /// <inheritdoc/>
    public override EventShape InputShapeOf(EventShape output) => InputShape!.Value;

    /// <summary>Parts a latent (N, D) into its scales, each of shape (N, C, H, W). The caller disposes them; the latent stays.</summary>
    public Tensor[] Split(Tensor z)
    {
        Internal.Check.Batch(z, nameof(z), $"{nameof(MultiScaleLayer)}.{nameof(Split)}", OutputShapeOf(InputShape!.Value));
        using var scope = NewDisposeScope();
        var parts = new Tensor[LatentShapes.Count];
        long start = 0;
        for (var i = 0; i < parts.Length; i++)
        {
            var size = LatentShapes[i].NumElements;
            parts[i] = scope.MoveToOuter(z.narrow(1, start, size).reshape(LatentShapes[i].WithBatch(z.shape[0])));
            start += size;
        }
        return parts;
    }

    /// <summary>Joins the parts of a latent into one (N, D). The caller disposes it; the parts stay.</summary>
    public Tensor Join(params IReadOnlyList<Tensor> parts)
    {
        Internal.Check.Items(parts, nameof(parts), "Part");
        foreach (var part in parts) Internal.Check.Tensor(part, nameof(parts));
        if (parts.Count != LatentShapes.Count)
            throw new ArgumentException($"This latent has {LatentShapes.Count} parts; got {parts.Count}.", nameof(parts));
        for (var i = 0; i < parts.Count; i++)
            Internal.Check.Batch(parts[i], $"{nameof(parts)}[{i}]", $"{nameof(MultiScaleLayer)}.{nameof(Join)}", LatentShapes[i]);
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(cat([.. parts.Select(p => p.flatten(1))], 1));
    }

    // what goes on is the first part; those that have left are behind it, in their order
    private static Tensor[] Leave(IReadOnlyList<Tensor> parts)
    {
        var half = parts[0].shape[1] / 2;
        return [parts[0].narrow(1, 0, half), .. parts.Skip(1), parts[0].narrow(1, half, half)];
    }

    private static Tensor[] Return(IReadOnlyList<Tensor> parts) => [cat([parts[0], parts[^1]], 1), .. parts.Skip(1).SkipLast(1)];

    private static Tensor[] Flat(IReadOnlyList<Tensor> parts) => [cat([.. parts.Skip(1).Append(parts[0]).Select(p => p.flatten(1))], 1)];

    private Tensor[] Parted(IReadOnlyList<Tensor> parts)
    {
        var all = Split(parts[0]);
        return [all[^1], .. all.SkipLast(1)];
    }

    private static EventShape[] Parts(EventShape inputShape, IReadOnlyList<Bijection> scales)
    {
        if (!inputShape.IsFixed)
            throw new ArgumentException($"A multi-scale bijection needs all sizes; got {inputShape}.", nameof(inputShape));
        var parts = new EventShape[scales.Count];
        var current = inputShape;
        for (var i = 0; i < scales.Count; i++)
        {
            if (scales[i].InputShape is { } wanted && !wanted.Matches(current.ToArray()))
                throw new ArgumentException($"Scale {i} ({scales[i].GetName()}) takes {wanted}, but gets {current}.", nameof(scales));
            var output = scales[i].OutputShapeOf(current);
            if (i == scales.Count - 1) { parts[i] = output; break; }
            if (output[0] % 2 != 0)
                throw new ArgumentException($"Scale {i} gives {output}; half of its channels cannot leave, because their number is odd.",
                    nameof(scales));
            current = parts[i] = EventShape.Create([output[0] / 2, .. output.Skip(1)]);
        }
        return parts;
    }
}
