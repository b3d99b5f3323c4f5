namespace RealNvp;

/// <summary>Everything that describes a <see cref="NiceModel"/>. A checkpoint carries this record as JSON.</summary>
public sealed record NiceOptions : ModelOptions
{
    /// <summary>Makes options with logistic latents, as in the paper.</summary>
    public NiceOptions() => Base = BaseDensityKind.StandardLogistic;

    /// <summary>Starts with a <see cref="Standardization"/>, which the trainer fits to the training data.</summary>
    public bool Standardize { get; init; }

    /// <summary>The number of coupling layers; at least 2, so that each feature is transformed. The paper has 4.</summary>
    public int Layers { get; init; } = 4;

    /// <summary>The features of each hidden layer.</summary>
    public long Hidden { get; init; } = 1000;

    /// <summary>The hidden layers of each network.</summary>
    public int HiddenLayers { get; init; } = 5;

    /// <summary>28×28 bytes as vectors of 784, as in the paper (section 5.1): 4 couplings with 5 hidden layers of 1000.</summary>
    public static NiceOptions Mnist { get; } = new() { Shape = [784], Levels = 256 };

    /// <summary>
    /// Tables of continuous features: standardization, 6 couplings with 3 hidden layers, which see no more than ±5
    /// standard deviations. Latents are Student's t variables, not the logistic ones of the paper: docs/presets.md.
    /// </summary>
    /// <param name="features">D, at least 2.</param>
    /// <param name="rows">How many rows there are to train on, if that is known:
    /// 64 hidden features below 2,000, else 128; null is as for 20,000.</param>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than 1 row.</exception>
    public static NiceOptions Tabular(long features, long? rows = null) =>
        ForTables(new NiceOptions { Shape = Vector(features), Standardize = true, Layers = 6, Hidden = RowsOf(rows) < 2_000 ? 64
            : 128, HiddenLayers = 3 });

    /// <inheritdoc/>
    protected override void CheckRules()
    {
        base.CheckRules();
        RequirePair();
        RequireContinuous(Standardize);
        Range(Layers, 2, 4096, nameof(Layers));
        Range(Hidden, 1, 1 << 16, nameof(Hidden));
        Range(HiddenLayers, 1, 1024, nameof(HiddenLayers));
    }

    /// <inheritdoc/>
    protected internal override FlowParts Build() => new(NewChain()) { BaseDensity = NewBase(), ContextEncoder = NewContextEncoder() };

    private Chain NewChain()
    {
        var layers = Preprocessing(Standardize);
        for (var i = 0; i < Layers; i++)
        {
            var mask = i % 2 == 0 ? Mask.Alternating(Shape[0]) : !Mask.Alternating(Shape[0]);
            layers.Add(new AdditiveCouplingLayer(Shape, mask, size => new Mlp(size.Inputs, size.Outputs, Hidden, HiddenLayers, ContextSize,
                InputLimit)));
        }
        layers.Add(new DiagonalScaling(Shape));
        return new Chain([.. layers]);
    }
}
