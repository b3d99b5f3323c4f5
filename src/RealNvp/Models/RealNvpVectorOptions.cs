namespace RealNvp;

/// <summary>Everything that describes a <see cref="RealNvpModel"/> for vectors. A checkpoint carries this record as JSON.</summary>
/// <remarks>Presets are static members of <see cref="RealNvpOptions"/>:
/// <c>RealNvpOptions.Tabular(features: 12) with { Layers = 6 }</c>.</remarks>
public sealed record RealNvpVectorOptions : RealNvpOptions
{
    /// <summary>The number of coupling layers; at least 2, so that each feature is transformed.</summary>
    public int Layers { get; init; } = 8;

    /// <summary>How the features are parted.</summary>
    public VectorMask VectorMask { get; init; } = VectorMask.Alternating;

    /// <inheritdoc/>
    protected override void CheckRules()
    {
        base.CheckRules();
        Require(!IsImage, nameof(Shape), Shape, $"must be [D]: for images there is {nameof(RealNvpImageOptions)}");
        RequirePair();
        Range(Layers, 2, 4096, nameof(Layers));
        Require(Enum.IsDefined(VectorMask), nameof(VectorMask), VectorMask, "must be a defined value");
    }

    /// <inheritdoc/>
    protected internal override FlowParts Build() =>
        new(RealNvpBuilder.Build(this)) { BaseDensity = NewBase(), ContextEncoder = NewContextEncoder() };
}
