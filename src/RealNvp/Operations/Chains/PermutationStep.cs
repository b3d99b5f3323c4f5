using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>Features in another order, as a step of a chain.</summary>
/// <param name="indices">For each feature of the forward map the one that it comes from.</param>
/// <param name="order">The order of the direction, as a tensor.</param>
/// <param name="inverse">The direction.</param>
internal sealed class PermutationStep(long[] indices, Tensor order, bool inverse) : ChainStep
{
    public override bool HasLogDet => false;

    public override void Forward(in ChainRows rows) => Move(rows.Input, rows.Value, inverse);

    public override void Backward(in ChainGradients rows)
    {
        if (!rows.OfInput.IsEmpty) Move(rows.OfValue, rows.OfInput, !inverse);
    }

    public override (Tensor Value, Tensor? LogDet) Reference(Tensor input, Tensor? context, IReadOnlyList<Tensor> weights) =>
        (input.index_select(1, order), null);

    private void Move(ReadOnlySpan<float> from, Span<float> to, bool back)
    {
        var features = indices.Length;
        for (var row = 0; row < from.Length; row += features)
            for (var i = 0; i < features; i++)
                if (back) to[row + (int)indices[i]] = from[row + i];
                else to[row + i] = from[row + (int)indices[i]];
    }
}
