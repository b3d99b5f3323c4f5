using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Operations;

/// <summary>Where the packed matrix (C, C) is, and scale and shift (C), null if there are none; or where their gradients go, null if one is
/// not wanted.</summary>
internal readonly unsafe struct LinearWeights(float* lu, float* scale, float* shift)
{
    public readonly float* Lu = lu, Scale = scale, Shift = shift;
}

/// <summary><see cref="ScaledLinear"/> as a step of a chain.</summary>
/// <param name="form">The fixed parts of the layer.</param>
/// <param name="weights">The packed matrix, and scale and shift if there are any.</param>
/// <param name="inverse">The direction.</param>
internal sealed unsafe class ScaledLinearStep(ScaledLinear form, Tensor[] weights, bool inverse) : ChainStep
{
    public override IReadOnlyList<Tensor> Weights => weights;

    public override void Forward(in ChainRows rows) =>
        form.Forward(rows.Count, rows.Features / form.Rows.Length, (float*)rows.InputAt,
            weights.Length == 1 ? new(rows.WeightAt(0), null, null) : new(rows.WeightAt(0), rows.WeightAt(1), rows.WeightAt(2)), inverse,
            (float*)rows.ValueAt, (float*)rows.LogDetAt);

    public override void Backward(in ChainGradients rows)
    {
        double ofLogDet = 0;
        foreach (var one in rows.OfLogDet) ofLogDet += one;
        var isAlone = weights.Length == 1;
        form.Backward(rows.Count, rows.Features / form.Rows.Length, (float*)rows.InputAt,
            isAlone ? new(rows.WeightAt(0), null, null) : new(rows.WeightAt(0), rows.WeightAt(1), rows.WeightAt(2)), inverse,
            (float*)rows.OfValueAt, ofLogDet, (float*)rows.OfInputAt,
            isAlone ? new(rows.OfWeightAt(0), null, null) : new(rows.OfWeightAt(0), rows.OfWeightAt(1), rows.OfWeightAt(2)));
    }

    public override (Tensor Value, Tensor? LogDet) Reference(Tensor input, Tensor? context, IReadOnlyList<Tensor> weights) =>
        form.Reference(input, weights[0], weights.Count > 1 ? weights[1] : null, weights.Count > 1 ? weights[2] : null, inverse);
}
