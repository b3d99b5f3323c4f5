namespace RealNvp;

/// <summary>How well a flow describes a data set.</summary>
public sealed record Evaluation
{
    /// <summary>The number of examples.</summary>
    public required long Count { get; init; }

    /// <summary>The mean of log p(x) in nats.</summary>
    public required double MeanLogProb { get; init; }

    /// <summary>The standard error of that mean in nats; NaN for one example.</summary>
    public required double StandardError { get; init; }

    /// <summary>-log₂ p(x)/D, averaged.</summary>
    public required double BitsPerDim { get; init; }

    /// <summary>Whether these are bounds, as when the flow dequantizes, and not exact: see <see cref="Flow.IsBound"/>.</summary>
    public required bool IsBound { get; init; }

    /// <summary>What a reader of these numbers should know, one sentence each; empty if there is nothing.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];
}
