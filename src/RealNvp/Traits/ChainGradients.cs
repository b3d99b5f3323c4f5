namespace RealNvp;

/// <summary>The gradients of a chain behind and before one step.</summary>
public readonly unsafe ref struct ChainGradients
{
    private readonly ChainWeights weights;
    private readonly int first, weightCount;

    internal ChainGradients(int count, int features, int contextFeatures, float* input, float* context, Span<float> tape, float* ofValue,
        float* ofLogDet, float* ofInput, float* ofContext, ChainWeights weights, int first, int weightCount)
    {
        (Count, Features, ContextFeatures, InputAt, ContextAt) = (count, features, contextFeatures, (nint)input, (nint)context);
        (OfValueAt, OfLogDetAt, OfInputAt, OfContextAt) = ((nint)ofValue, (nint)ofLogDet, (nint)ofInput, (nint)ofContext);
        (this.weights, this.first, this.weightCount) = (weights, first, weightCount);
        Tape = tape;
    }

    /// <inheritdoc cref="ChainRows.Count"/>
    public int Count { get; }

    /// <inheritdoc cref="ChainRows.Features"/>
    public int Features { get; }

    /// <inheritdoc cref="ChainRows.ContextFeatures"/>
    public int ContextFeatures { get; }

    /// <inheritdoc cref="ChainRows.Input"/>
    public ReadOnlySpan<float> Input => new((float*)InputAt, Count * Features);

    /// <inheritdoc cref="ChainRows.Context"/>
    public ReadOnlySpan<float> Context => new((float*)ContextAt, Count * ContextFeatures);

    /// <summary>What <see cref="ChainStep.Forward"/> wrote down. It may be written over with the same numbers alone.</summary>
    public Span<float> Tape { get; }

    /// <summary>The gradient of the value, N·D numbers.</summary>
    public ReadOnlySpan<float> OfValue => new((float*)OfValueAt, Count * Features);

    /// <summary>The gradient of the log-determinants, N numbers.</summary>
    public ReadOnlySpan<float> OfLogDet => new((float*)OfLogDetAt, Count);

    /// <summary>Gets the gradient of the input, N·D numbers, which hold anything before; empty if it is not wanted.</summary>
    public Span<float> OfInput => OfInputAt == 0 ? [] : new((float*)OfInputAt, Count * Features);

    /// <summary>The gradient of the context, N·C numbers, to which the step adds its own; empty if it is not wanted.</summary>
    public Span<float> OfContext => OfContextAt == 0 ? [] : new((float*)OfContextAt, Count * ContextFeatures);

    /// <inheritdoc cref="ChainRows.Weight"/>
    public ReadOnlySpan<float> Weight(int index) => new(WeightAt(ChainWeights.Check(index, weightCount)), weights.Lengths[first + index]);

    /// <summary>Gets the gradient of a weight, as many numbers, which hold anything before; empty if it is not wanted.</summary>
    /// <param name="index">Its place in <see cref="ChainStep.Weights"/>.</param>
    public Span<float> OfWeight(int index)
    {
        var to = OfWeightAt(ChainWeights.Check(index, weightCount));
        return to == null ? [] : new(to, weights.Lengths[first + index]);
    }

    internal nint InputAt { get; }

    internal nint ContextAt { get; }

    internal nint OfValueAt { get; }

    internal nint OfLogDetAt { get; }

    internal nint OfInputAt { get; }

    internal nint OfContextAt { get; }

    internal float* WeightAt(int index) => weights.From[first + index];

    internal float* OfWeightAt(int index) => weights.To[first + index];
}
