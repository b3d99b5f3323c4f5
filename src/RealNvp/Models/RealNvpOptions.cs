using RealNvp.Internal;

namespace RealNvp;

/// <summary>
/// Describes a <see cref="RealNvpModel"/>: what <see cref="RealNvpVectorOptions"/>
/// and <see cref="RealNvpImageOptions"/> have in common, and the presets of both.
/// </summary>
/// <remarks>
/// Start from a preset and change what you need: <c>RealNvpOptions.Tabular(features: 12) with { Layers
/// = 6 }</c>. A checkpoint carries the record as JSON, and the shape in it says which of the two it is.
/// </remarks>
public abstract partial record RealNvpOptions : ModelOptions
{
    // the two records of this library are all that there are: a model is built from no other
    private protected RealNvpOptions() { }

    /// <summary>Affine couplings (Real NVP) or additive ones (NICE).</summary>
    public CouplingKind Coupling { get; init; } = CouplingKind.Affine;

    /// <summary>The order of scale and shift in affine couplings.</summary>
    public AffineOrder Order { get; init; } = AffineOrder.ScaleThenShift;

    /// <summary>α of the logit transform for data in [0, 1] or for integers; null for none.</summary>
    public double? LogitAlpha { get; init; }

    /// <summary>Starts with a <see cref="Standardization"/>, which the trainer fits to the training data; for continuous data.</summary>
    public bool Standardize { get; init; }

    /// <summary>The hidden features of each network; for images the hidden channels
    /// at the first scale, and each further scale doubles them.</summary>
    public long Hidden { get; init; } = 64;

    /// <summary>The residual blocks of each network.</summary>
    public int Blocks { get; init; } = 2;

    /// <summary>A <see cref="FlowBatchNorm"/> after each coupling.</summary>
    public bool FlowBatchNorm { get; init; }

    /// <summary>The weight of the past in the running averages of batch normalization, in [0, 1).</summary>
    public double Momentum { get; init; } = 0.9;

    /// <summary>Ends with a learned scale for each variable, as NICE does.</summary>
    public bool DiagonalScaling { get; init; }

    /// <inheritdoc/>
    protected override void CheckRules()
    {
        base.CheckRules();
        Require(LogitAlpha is null || Ranges.LogitAlpha.HoldsInFile(LogitAlpha.Value), nameof(LogitAlpha), LogitAlpha,
            Ranges.LogitAlpha.Rule);
        Require(!Standardize || (Levels == 0 && LogitAlpha is null), nameof(Standardize), Standardize,
            "does not go together with Levels or LogitAlpha");
        Range(Hidden, 1, 1 << 16, nameof(Hidden));
        Range(Blocks, 0, 1024, nameof(Blocks));
        Require(Ranges.Momentum.HoldsInFile(Momentum), nameof(Momentum), Momentum, Ranges.Momentum.Rule);
        Require(Enum.IsDefined(Coupling), nameof(Coupling), Coupling, "must be a defined value");
        Require(Enum.IsDefined(Order), nameof(Order), Order, "must be a defined value");
    }

    private protected override IEnumerable<string> NewerFaults() =>
        [.. base.NewerFaults(), .. Newer(Ranges.LogitAlpha, LogitAlpha, nameof(LogitAlpha)),
            .. Newer(Ranges.Momentum, Momentum, nameof(Momentum))];
}
