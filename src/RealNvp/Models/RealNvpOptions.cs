using RealNvp.Internal;

namespace RealNvp;

/// <summary>Everything that describes a <see cref="RealNvpModel"/>. A checkpoint carries this record as JSON.</summary>
/// <remarks>
/// Start from a preset and change what you need: <c>RealNvpOptions.Tabular(features: 12) with { Couplings = 6 }</c>. A shape of one size
/// gives a model for vectors, one of three sizes a multi-scale model for images.
/// </remarks>
public sealed partial record RealNvpOptions : ModelOptions
{
    /// <summary>Affine couplings (Real NVP) or additive ones (NICE).</summary>
    public CouplingKind Coupling { get; init; } = CouplingKind.Affine;

    /// <summary>The order of scale and shift in affine couplings.</summary>
    public AffineOrder Order { get; init; } = AffineOrder.ScaleThenShift;

    /// <summary>α of the logit transform for data in [0, 1] or for integers; null for none.</summary>
    public double? LogitAlpha { get; init; }

    /// <summary>Mirrors images at random while training.</summary>
    public bool HorizontalFlips { get; init; }

    /// <summary>Starts with a <see cref="Standardization"/>, which the trainer fits to the training data.</summary>
    public bool Standardize { get; init; }

    /// <summary>Vectors: the number of couplings; at least 2, so that each feature is transformed.</summary>
    public int Couplings { get; init; } = 8;

    /// <summary>Vectors: how the features are parted.</summary>
    public VectorMask VectorMask { get; init; } = VectorMask.Alternating;

    /// <summary>Images: the number of scales; H and W must be divisible by 2 to the power of one less.</summary>
    public int Scales { get; init; } = 2;

    /// <summary>The hidden features of an MLP, or the hidden channels of a
    /// network at the first scale; each further scale doubles them.</summary>
    public long Hidden { get; init; } = 64;

    /// <summary>The residual blocks of each network.</summary>
    public int Blocks { get; init; } = 2;

    /// <summary>A <see cref="FlowBatchNorm"/> after each coupling.</summary>
    public bool FlowBatchNorm { get; init; }

    /// <summary>Images: batch normalization inside the networks.</summary>
    public bool NetworkBatchNorm { get; init; } = true;

    /// <summary>Images: what the networks' batch normalization divides by in training.</summary>
    public BatchStatistics Statistics { get; init; } = BatchStatistics.Current;

    /// <summary>The weight of the past in the running averages of batch normalization, in [0, 1).</summary>
    public double Momentum { get; init; } = 0.9;

    /// <summary>Images: feeds the checkerboard mask to its networks as one more channel.</summary>
    public bool MaskAsInput { get; init; } = true;

    /// <summary>Images: feeds relu(h) and relu(-h) to the first convolution, as the original code does.</summary>
    public bool ConcatenatedRelu { get; init; }

    /// <summary>Ends with a learned scale for each variable, as NICE does.</summary>
    public bool DiagonalScaling { get; init; }

    /// <inheritdoc/>
    protected override void CheckRules()
    {
        base.CheckRules();
        Require(IsImage
            || Shape[0] >= 2, nameof(Shape), Shape, "must have at least 2 features: a coupling keeps one and transforms another");
        Require(LogitAlpha is null || Ranges.LogitAlpha.HoldsInFile(LogitAlpha.Value), nameof(LogitAlpha), LogitAlpha,
            Ranges.LogitAlpha.Rule);
        Require(!HorizontalFlips || IsImage, nameof(HorizontalFlips), HorizontalFlips, "is for images only");
        Require(!Standardize || (Levels == 0 && LogitAlpha is null), nameof(Standardize), Standardize,
            "does not go together with Levels or LogitAlpha");
        Range(Couplings, 2, 4096, nameof(Couplings));
        Range(Scales, 1, 16, nameof(Scales));
        Range(Hidden, 1, 1 << 16, nameof(Hidden));
        Range(Blocks, 0, 1024, nameof(Blocks));
        Require(Ranges.Momentum.HoldsInFile(Momentum), nameof(Momentum), Momentum, Ranges.Momentum.Rule);
        Require(Enum.IsDefined(Coupling) && Enum.IsDefined(Order) && Enum.IsDefined(VectorMask) && Enum.IsDefined(Statistics), "Enums", "",
            "must have defined values");
        if (!IsImage) return;
        RequireScales(Scales, static scales => scales - 1, pixels: 2);
    }

    private protected override IEnumerable<string> NewerFaults() =>
        [.. base.NewerFaults(), .. Newer(Ranges.LogitAlpha, LogitAlpha, nameof(LogitAlpha)),
            .. Newer(Ranges.Momentum, Momentum, nameof(Momentum))];

    /// <inheritdoc/>
    protected internal override FlowParts Build() =>
        new(RealNvpBuilder.Build(this)) { BaseDensity = NewBase(), ContextEncoder = NewContextEncoder() };
}
