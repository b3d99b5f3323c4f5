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

    /// <summary>For each position in the order its feature: 0 to D − 1, each once. Null is the natural order.</summary>
    public IReadOnlyList<long>? Order { get; init; }

    /// <summary>C, the number of context features; 0 for none.</summary>
    public long ContextSize { get; init; }
}
