namespace RealNvp;

/// <summary>Everything that describes a <see cref="ResidualFlowModel"/> for vectors. A checkpoint carries this record as JSON.</summary>
/// <remarks>Presets are static members of <see cref="ResidualFlowOptions"/>:
/// <c>ResidualFlowOptions.Tabular(features: 12) with { Layers = 6 }</c>.</remarks>
public sealed record ResidualFlowVectorOptions : ResidualFlowOptions
{
    /// <summary>Starts with a <see cref="Standardization"/>, which the trainer fits to the training data; for continuous data.</summary>
    public bool Standardize { get; init; }

    /// <summary>The number of residual blocks.</summary>
    public int Layers { get; init; } = 10;

    /// <summary>The hidden layers of each network.</summary>
    public int HiddenLayers { get; init; } = 3;

    /// <inheritdoc/>
    protected override void CheckRules()
    {
        base.CheckRules();
        Require(!IsImage, nameof(Shape), Shape, $"must be [D]: for images there is {nameof(ResidualFlowImageOptions)}");
        RequireVector();
        RequireContinuous(Standardize);
        Range(Layers, 1, 4096, nameof(Layers));
        Range(HiddenLayers, 1, 1024, nameof(HiddenLayers));
    }

    /// <inheritdoc/>
    protected internal override FlowParts Build() => new(Blocks()) { BaseDensity = NewBase(), ContextEncoder = NewContextEncoder() };

    private Chain Blocks()
    {
        var layers = Preprocessing(Standardize);
        for (var i = 0; i < Layers; i++)
        {
            if (ActNorm) layers.Add(new ActNorm(Shape));
            layers.Add(NewBlock(Shape, Hidden, HiddenLayers));
        }
        if (ActNorm) layers.Add(new ActNorm(Shape));
        return new Chain([.. layers]);
    }
}
