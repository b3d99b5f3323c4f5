namespace RealNvp;

/// <summary>The shape of a <see cref="Made"/> network.</summary>
public sealed record MadeOptions
{
    /// <summary>The number of hidden units of each layer.</summary>
    public long Hidden { get; init; } = 64;

    /// <summary>The number of blocks after the first layer; 0 gives one hidden layer.</summary>
    public int Blocks { get; init; } = 2;

    /// <summary>Residual blocks h ← h + B relu(A relu(h)); false gives plain layers h ← A relu(h).</summary>
    public bool Residual { get; init; } = true;

    /// <summary>Applies relu before the last layer too; false is the residual network of nflows,
    /// whose last layer is linear in what the blocks give. No fused kernel serves that.</summary>
    public bool FinalActivation { get; init; } = true;

    /// <summary>For each position in the order its feature: 0 to D − 1, each once. Null is the natural order.</summary>
    public IReadOnlyList<long>? Order { get; init => field = Internal.Listed<long>.Of(value); }

    /// <summary>C, the number of context features; 0 for none.</summary>
    public long ContextSize { get; init; }

    /// <summary>c &gt; 0: the network sees x / √(1 + (x/c)²) in place of each number x of its input and context, which
    /// stays within ±c, so that its output stays within what it was for such inputs; null for x itself.</summary>
    public double? InputLimit { get; init; }

    /// <summary>The probability of a <see cref="SeededDropout"/> in each block, 0 ... 0.9, of relu(A relu(h)) in residual ones and
    /// of relu(h) behind plain ones; 0 for none. With it, training runs in plain operations rather than in a kernel.</summary>
    public double Dropout { get; init; }

    /// <summary>The name of the record and its members with their values, for all cultures alike.</summary>
    public override string ToString() => Describing.RecordText.Of(nameof(MadeOptions), PrintMembers);
}
