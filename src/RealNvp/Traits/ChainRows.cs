namespace RealNvp;

/// <summary>The rows of a chain before and after one step.</summary>
public readonly unsafe ref struct ChainRows
{
    private readonly ChainWeights weights;
    private readonly int first, weightCount;

    internal ChainRows(int count, int features, int contextFeatures, float* input, float* context, float* value, float* logDet,
        Span<float> tape, ChainWeights weights, int first, int weightCount)
    {
        (Count, Features, ContextFeatures, InputAt, ContextAt) = (count, features, contextFeatures, (nint)input, (nint)context);
        (ValueAt, LogDetAt, this.weights, this.first) = ((nint)value, (nint)logDet, weights, first);
        this.weightCount = weightCount;
        Tape = tape;
    }

    /// <summary>N.</summary>
    public int Count { get; }

    /// <summary>D; of images C·H·W.</summary>
    public int Features { get; }

    /// <summary>C; 0 if there is no context.</summary>
    public int ContextFeatures { get; }

    /// <summary>What the step maps, N·D numbers.</summary>
    public ReadOnlySpan<float> Input => new((float*)InputAt, Count * Features);

    /// <summary>The context, N·C numbers; empty if there is none.</summary>
    public ReadOnlySpan<float> Context => new((float*)ContextAt, Count * ContextFeatures);

    /// <summary>Gets the value, N·D numbers.</summary>
    public Span<float> Value => new((float*)ValueAt, Count * Features);

    /// <summary>The log-determinants of the steps before, N numbers, to which the step adds its own.</summary>
    public Span<float> LogDet => new((float*)LogDetAt, Count);

    /// <summary>Gets what the gradients need; empty if there will be none.</summary>
    public Span<float> Tape { get; }

    /// <summary>The numbers of a weight.</summary>
    /// <param name="index">Its place in <see cref="ChainStep.Weights"/>.</param>
    public ReadOnlySpan<float> Weight(int index) => new(WeightAt(ChainWeights.Check(index, weightCount)), weights.Lengths[first + index]);

    internal nint InputAt { get; }

    internal nint ContextAt { get; }

    internal nint ValueAt { get; }

    internal nint LogDetAt { get; }

    internal float* WeightAt(int index) => weights.From[first + index];
}
