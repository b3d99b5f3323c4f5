namespace RealNvp;

/// <summary>
/// Describes a <see cref="ResidualFlowModel"/>: what <see cref="ResidualFlowVectorOptions"/> and
/// <see cref="ResidualFlowImageOptions"/> have in common, and the presets of both.
/// </summary>
/// <remarks>
/// Start from a preset and change what you need: <c>ResidualFlowOptions.Tabular(features: 12) with { Layers = 6 }</c>. A checkpoint
/// carries the record as JSON, and the shape in it says which of the two it is.
/// </remarks>
public abstract partial record ResidualFlowOptions : ModelOptions
{
    // the two records of this library are all that there are: a model is built from no other
    private protected ResidualFlowOptions() { }

    /// <summary>The hidden features of each network; for images the hidden channels.</summary>
    public long Hidden { get; init; } = 128;

    /// <summary>The activation of the networks.</summary>
    public ActivationKind Activation { get; init; } = ActivationKind.LipSwish;

    /// <summary>The largest norm of each weight, in 0.01 ... 0.999. Nearer
    /// to 1, a block bends more, and more steps find its inverse.</summary>
    public double Coefficient { get; init; } = 0.98;

    /// <summary>p of the norm in which the networks are bounded: 2, 1 or infinity.</summary>
    public double Norm { get; init; } = 2;

    /// <summary>An <see cref="RealNvp.ActNorm"/> before each block and at the end.</summary>
    public bool ActNorm { get; init; } = true;

    /// <summary>How log-determinants are had: exact for few features, by estimates for many.</summary>
    public ResidualLogDet LogDet { get; init; } = new();

    /// <inheritdoc/>
    protected override void CheckRules()
    {
        base.CheckRules();
        Range(Hidden, 1, 1 << 16, nameof(Hidden));
        Require(Enum.IsDefined(Activation), nameof(Activation), Activation, "must be a defined value");
        Require(Coefficient is >= 0.01 and <= 0.999, nameof(Coefficient), Coefficient,
            "must be in 0.01 ... 0.999: below 1, or a block has no inverse");
        Require(Norm is 1 or 2 || double.IsPositiveInfinity(Norm), nameof(Norm), Norm, "must be 1, 2 or infinity");
        Require(Norm == 2 || Activation != ActivationKind.CLipSwish, nameof(Norm), Norm, "must be 2 with CLipSwish");
        Require(LogDet is not null, nameof(LogDet), LogDet, "must be there");
        if (LogDet!.Fault() is var (member, value, rule)) Require(false, $"{nameof(LogDet)}.{member}", value, rule);
    }

    /// <summary>A block for vectors.</summary>
    private protected ResidualLayer NewBlock(EventShape shape, long hidden, int hiddenLayers) =>
        new(shape, new LipschitzMlp(shape[0], shape[0], hidden,
        hiddenLayers, Activation, Coefficient, ContextSize, norm: Norm, inputLimit: InputLimit), LogDet);
}
