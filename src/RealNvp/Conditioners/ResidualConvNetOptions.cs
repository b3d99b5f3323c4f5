namespace RealNvp;

/// <summary>The form of a <see cref="ResidualConvNet"/>; the defaults are those of the Real NVP paper.</summary>
public sealed record ResidualConvNetOptions
{
    /// <summary>The number of hidden channels; at least 1.</summary>
    public long HiddenChannels { get; init; } = 64;

    /// <summary>The number of residual blocks; 0 or more.</summary>
    public int Blocks { get; init; } = 8;

    /// <summary>Batch normalization of input and activations.</summary>
    public bool BatchNorm { get; init; } = true;

    /// <summary>What batch normalization divides by in training.</summary>
    public BatchStatistics Statistics { get; init; } = BatchStatistics.Current;

    /// <summary>The weight of the past in the running averages of batch normalization, in [0, 1).</summary>
    public double Momentum { get; init; } = 0.9;

    /// <summary>Feeds relu(h) and relu(-h) to the first convolution, as the original code does, instead of h alone.</summary>
    public bool ConcatenatedRelu { get; init; }

    /// <summary>Doubles the normalized input, which makes up for the zeros of a checkerboard mask, as the original code does.</summary>
    public bool DoubleInput { get; init; }

    /// <summary>The number of context features C; 0 for none.</summary>
    public long ContextSize { get; init; }

    /// <summary>The name of the record and its members with their values, for all cultures alike.</summary>
    public override string ToString() => Describing.RecordText.Of(nameof(ResidualConvNetOptions), PrintMembers);
}
