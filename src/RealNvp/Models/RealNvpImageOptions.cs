namespace RealNvp;

/// <summary>Everything that describes a <see cref="RealNvpModel"/> for images,
/// over several scales. A checkpoint carries this record as JSON.</summary>
/// <remarks>Presets are static members of <see cref="RealNvpOptions"/>: <c>RealNvpOptions.Image([3,
/// 32, 32], scales: 2) with { HorizontalFlips = true }</c>.</remarks>
public sealed record RealNvpImageOptions : RealNvpOptions
{
    /// <summary>The number of scales; H and W must be divisible by 2 to the power of one less.</summary>
    public int Scales { get; init; } = 2;

    /// <summary>Mirrors images at random while training.</summary>
    public bool HorizontalFlips { get; init; }

    /// <summary>Batch normalization inside the networks.</summary>
    public bool NetworkBatchNorm { get; init; } = true;

    /// <summary>What the networks' batch normalization divides by in training.</summary>
    public BatchStatistics Statistics { get; init; } = BatchStatistics.Current;

    /// <summary>Feeds the checkerboard mask to its networks as one more channel.</summary>
    public bool MaskAsInput { get; init; } = true;

    /// <summary>Feeds relu(h) and relu(-h) to the first convolution, as the original code does.</summary>
    public bool ConcatenatedRelu { get; init; }

    /// <inheritdoc/>
    protected override void CheckRules()
    {
        base.CheckRules();
        Require(IsImage, nameof(Shape), Shape, $"must be [C, H, W]: for vectors there is {nameof(RealNvpVectorOptions)}");
        Range(Scales, 1, 16, nameof(Scales));
        Require(Enum.IsDefined(Statistics), nameof(Statistics), Statistics, "must be a defined value");
        RequireScales(Scales, static scales => scales - 1, pixels: 2);
    }

    /// <inheritdoc/>
    protected internal override FlowParts Build() =>
        new(RealNvpBuilder.Build(this)) { BaseDensity = NewBase(), ContextEncoder = NewContextEncoder() };
}
