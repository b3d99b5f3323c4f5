using RealNvp.Layers;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>The folds over the steps that compute.</content>
public abstract partial class Composite
{
    /// <inheritdoc/>
    protected sealed override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) =>
        Run(Plan.InOrder(inverse: false), x, pass, inverse: false);

    /// <inheritdoc/>
    protected sealed override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass)
    {
        var groups = Plan.InOrder(inverse: true);
        if (pass.RequestedDtype is null || (ConvertsDtype && Plan.Layers.Length == 1)) return Run(groups, z, pass, inverse: true);
        // the dtype that the caller wants is that of the data, which only the layers that meet them give
        Tensor value;
        Tensor? total;
        var converting = Converting;
        var last = converting > 0 ? groups[^1].InOrder(inverse: true) : [];
        using (PassState.WithDtype(null))
        {
            var quiet = Pass.Here(pass.Context);
            (value, total) = Run(last.Length == 0 ? groups : groups[..^1], z, quiet, inverse: true);
            if (last.Length > converting)
            {
                (value, var before) = LayerSequence.Run(last[..^converting], value, quiet, inverse: true);
                total = LayerSequence.Add(total, before);
            }
        }
        if (last.Length == 0) return (value, total);
        var (x, logDet) = LayerSequence.Run(last[^converting..], value, pass, inverse: true);
        return (x, LayerSequence.Add(total, logDet));
    }

    /// <summary>One step of a backward pass that has only the output: back through the steps, layer by layer.</summary>
    internal (Tensor Input, Tensor Gradient) StepBack(BackwardStep step, Tensor output, Tensor gradient, bool inverse)
    {
        IReadOnlyList<Tensor> values = [output], gradients = [gradient];
        foreach (var group in Plan.InOrder(!inverse))
        {
            if (group.Move is { } move)
            {
                (values, gradients) = (move.Move(values, !inverse), move.Move(gradients, !inverse));
                continue;
            }
            var (value, slope) = step.Through(group.InOrder(inverse), values[group.Part], gradients[group.Part],
                group.IsInverse != inverse);
            (values, gradients) = (Replaced(values, group.Part, value), Replaced(gradients, group.Part, slope));
        }
        return (Single(values), Single(gradients));
    }

    private (Tensor Value, Tensor? LogDet) Run(ReadOnlySpan<StepGroup> groups, Tensor input, Pass pass, bool inverse)
    {
        // the layers of most composites are applied to the whole value, and need no list of parts
        if (groups is [{ Move: null, Part: 0 } only])
            return LayerSequence.Run(only.InOrder(inverse), input, pass, only.IsInverse != inverse);
        IReadOnlyList<Tensor> parts = [input];
        Tensor? total = null;
        foreach (var group in groups)
        {
            var before = parts;
            if (group.Move is { } move) parts = move.Move(parts, inverse);
            else
            {
                var (value, logDet) = LayerSequence.Run(group.InOrder(inverse), Part(parts, group.Part), pass, group.IsInverse != inverse);
                parts = Replaced(parts, group.Part, value);
                total = LayerSequence.Add(total, logDet);
            }
            foreach (var part in before)
                if (!ReferenceEquals(part, input) && !parts.Contains(part, ReferenceEqualityComparer.Instance)) part.Dispose();
        }
        return (Single(parts), total);
    }

    private Tensor Part(IReadOnlyList<Tensor> parts, int part) => part < parts.Count ? parts[part]
        : throw new InvalidOperationException(
            $"A step of {GetName()} is for part {part} of the value, which has {parts.Count} part(s) there.");

    private Tensor Single(IReadOnlyList<Tensor> parts) => parts is [var only] ? only
        : throw new InvalidOperationException(
            $"The steps of {GetName()} leave {parts.Count} parts; a last rearrangement must join them into one.");

    private static Tensor[] Replaced(IReadOnlyList<Tensor> parts, int part, Tensor value)
    {
        if (parts.Count == 1) return [value];
        Tensor[] all = [.. parts];
        all[part] = value;
        return all;
    }
}
