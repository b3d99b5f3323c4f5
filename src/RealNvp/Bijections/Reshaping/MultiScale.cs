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
public sealed class MultiScale : Bijection
{
    private readonly TorchSharp.Modules.ModuleList<Bijection> scales;
    private readonly Bijection[] steps;

    /// <summary>Makes a multi-scale bijection.</summary>
    /// <param name="inputShape">[C, H, W], all sizes known.</param>
    /// <param name="scales">At least one. Each maps what the scale before it kept; all but the last give an even number of channels.</param>
    /// <exception cref="ArgumentException">The shapes do not fit.</exception>
    public MultiScale(EventShape inputShape, params IReadOnlyList<Bijection> scales) : base(nameof(MultiScale), inputShape)
    {
        Internal.Check.Items(scales, nameof(scales), "Scale");
        if (scales.Count == 0) throw new ArgumentException("A multi-scale bijection needs at least one scale; got none.", nameof(scales));
        LatentShapes = Parts(inputShape, scales);
        ContextSize = Chain.CommonContext(scales, nameof(MultiScale));
        steps = [.. scales];
        this.scales = new TorchSharp.Modules.ModuleList<Bijection>(steps);
        RegisterComponents();
    }

    /// <summary>The scales, from the one that meets the data to the last.</summary>
    public IReadOnlyList<Bijection> Scales => steps;

    /// <summary>The shape of each part of the latent, in the order in which the parts leave.</summary>
    public IReadOnlyList<EventShape> LatentShapes { get; }

    /// <inheritdoc/>
    public override long ContextSize { get; }

    /// <inheritdoc/>
    public override bool IsRepeatable => steps.All(s => s.IsRepeatable);

    /// <inheritdoc/>
    public override bool ConvertsDtype => steps[0].ConvertsDtype;

    /// <inheritdoc/>
    public override bool AcceptsIntegers => steps[0].AcceptsIntegers;

    /// <inheritdoc/>
    public override bool MovesValues => steps.All(s => s.MovesValues);

    /// <inheritdoc/>
    protected internal override void CheckData(Tensor x, string owner) => steps[0].CheckData(x, owner);

    /// <inheritdoc/>
    protected internal override Tensor? OutsideDomain(Tensor x) => steps[0].OutsideDomain(x);

    internal override bool IsComposite => true;

    /// <inheritdoc/>
    public override EventShape OutputShapeOf(EventShape input) => [input.NumElements];

    /// <inheritdoc/>
    public override EventShape InputShapeOf(EventShape output) => InputShape!.Value;

    /// <summary>Parts a latent (N, D) into its scales, each of shape (N, C, H, W). The caller disposes them; the latent stays.</summary>
    public Tensor[] Split(Tensor z)
    {
        Internal.Check.Batch(z, nameof(z), $"{nameof(MultiScale)}.{nameof(Split)}", OutputShapeOf(InputShape!.Value));
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
        if (parts.Count != LatentShapes.Count) throw new ArgumentException($"This latent has {LatentShapes.Count} parts; got {parts.Count}.", nameof(parts));
        for (var i = 0; i < parts.Count; i++) Internal.Check.Batch(parts[i], $"{nameof(parts)}[{i}]", $"{nameof(MultiScale)}.{nameof(Join)}", LatentShapes[i]);
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(cat([.. parts.Select(p => p.flatten(1))], 1));
    }

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Tensor? context)
    {
        var parts = new List<Tensor>(steps.Length);
        var current = x;
        Tensor? total = null;
        for (var i = 0; i < steps.Length; i++)
        {
            var (h, logDet) = steps[i].Run(current, context, inverse: false);
            total = Chain.Add(total, logDet);
            if (i == steps.Length - 1) { parts.Add(h.flatten(1)); break; }
            var half = h.shape[1] / 2;
            parts.Add(h.narrow(1, half, half).flatten(1));
            current = h.narrow(1, 0, half);
        }
        return (cat(parts, 1), total);
    }

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Tensor? context)
    {
        var parts = Split(z);
        var current = parts[^1];
        Tensor? total = null;
        for (var i = steps.Length - 1; i >= 0; i--)
        {
            var h = i == steps.Length - 1 ? current : cat([current, parts[i]], 1);
            // the dtype that the caller wants is that of the data, which only the first scale gives
            using var wanted = Internal.DataDtype.Use(i == 0 ? RequestedDtype : null);
            (current, var logDet) = steps[i].Run(h, context, inverse: true);
            total = Chain.Add(total, logDet);
        }
        return (current, total);
    }

    internal override (Tensor Input, Tensor Gradient) WalkBack(ReverseWalk walk, Tensor output, Tensor gradient, bool inverse)
    {
        if (inverse)
        {
            // the map was z → x: from x, the scales give the parts of z one after the other
            var (current, slope) = (output, gradient);
            var (parts, slopes) = (new List<Tensor>(steps.Length), new List<Tensor>(steps.Length));
            for (var i = 0; i < steps.Length; i++)
            {
                var (h, g) = walk.Through(steps[i], current, slope, inverse: true);
                var leaving = i == steps.Length - 1 ? 0 : h.shape[1] / 2;
                parts.Add(h.narrow(1, leaving, h.shape[1] - leaving).flatten(1));
                slopes.Add(g.narrow(1, leaving, h.shape[1] - leaving).flatten(1));
                if (leaving > 0) (current, slope) = (h.narrow(1, 0, leaving), g.narrow(1, 0, leaving));
            }
            return (cat(parts, 1), cat(slopes, 1));
        }
        var (left, leftSlopes) = (Split(output), Split(gradient));
        var (value, valueSlope) = (left[^1], leftSlopes[^1]);
        for (var i = steps.Length - 1; i >= 0; i--)
        {
            var last = i == steps.Length - 1;
            (value, valueSlope) = walk.Through(steps[i], last ? value : cat([value, left[i]], 1), last ? valueSlope : cat([valueSlope, leftSlopes[i]], 1), inverse: false);
        }
        return (value, valueSlope);
    }

    private static EventShape[] Parts(EventShape inputShape, IReadOnlyList<Bijection> scales)
    {
        if (!inputShape.IsFixed) throw new ArgumentException($"A multi-scale bijection needs all sizes; got {inputShape}.", nameof(inputShape));
        var parts = new EventShape[scales.Count];
        var current = inputShape;
        for (var i = 0; i < scales.Count; i++)
        {
            if (scales[i].InputShape is { } wanted && !wanted.Matches(current.ToArray()))
                throw new ArgumentException($"Scale {i} ({scales[i].GetName()}) takes {wanted}, but gets {current}.", nameof(scales));
            var output = scales[i].OutputShapeOf(current);
            if (i == scales.Count - 1) { parts[i] = output; break; }
            if (output[0] % 2 != 0) throw new ArgumentException($"Scale {i} gives {output}; half of its channels cannot leave, because their number is odd.", nameof(scales));
            current = parts[i] = EventShape.Create([output[0] / 2, .. output.Skip(1)]);
        }
        return parts;
    }
}
