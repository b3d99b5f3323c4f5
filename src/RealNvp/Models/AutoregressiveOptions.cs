using RealNvp.Internal;

namespace RealNvp;

/// <summary>What <see cref="MafOptions"/> and <see cref="IafOptions"/> have in common.</summary>
public abstract record AutoregressiveOptions : ModelOptions
{
    /// <summary>Starts with a <see cref="Standardization"/>, which the trainer fits to the training data.</summary>
    public bool Standardize { get; init; }

    /// <summary>The number of autoregressive layers. The order of the features turns round from one to the next.</summary>
    public int Layers { get; init; } = 5;

    /// <summary>The hidden units of each network.</summary>
    public long Hidden { get; init; } = 128;

    /// <summary>The blocks of each network; each has two layers if they are residual, and one if not.</summary>
    public int Blocks { get; init; } = 2;

    /// <summary>Residual blocks; false for the plain layers of the MADE paper.</summary>
    public bool Residual { get; init; } = true;

    /// <summary>The probability of a <see cref="SeededDropout"/> in each block of the networks, 0 ... 0.9; 0 for none. For trainings that
    /// learn their rows by heart. With it, a step takes longer: networks run in plain operations rather than in kernels.</summary>
    public double Dropout { get; init; }

    /// <summary>The elementwise map.</summary>
    public AutoregressiveKind Transformer { get; init; } = AutoregressiveKind.Affine;

    /// <summary>Splines: the number of bins, 1 to 64.</summary>
    public int Bins { get; init; } = 8;

    /// <summary>Splines: they bend within ± this.</summary>
    public double Bound { get; init; } = 3;

    /// <summary>Splines: the smallest width and height of a bin, as a part of the
    /// interval: 1e-6 or more, and less than 1/<see cref="Bins"/>.</summary>
    public double SmallestBin { get; init; } = SplineTransformer.MinBinSize;

    /// <summary>Splines: the smallest derivative at a knot, in 1e-6 ... 0.5.</summary>
    public double SmallestDerivative { get; init; } = SplineTransformer.MinDerivative;

    /// <summary>Mixtures: the number of logistics, 1 to 64.</summary>
    public int Components { get; init; } = 8;

    /// <summary>A <see cref="FlowBatchNorm"/> after each layer, as in the MAF paper.</summary>
    public bool FlowBatchNorm { get; init; }

    /// <inheritdoc/>
    protected override void CheckRules()
    {
        base.CheckRules();
        RequireVector();
        RequireContinuous(Standardize);
        Range(Layers, 1, 4096, nameof(Layers));
        Range(Hidden, 1, 1 << 16, nameof(Hidden));
        Range(Blocks, 0, 1024, nameof(Blocks));
        Range(Bins, 1, 64, nameof(Bins));
        Require(Ranges.Dropout.Holds(Dropout), nameof(Dropout), Dropout, Ranges.Dropout.Rule);
        Require(Dropout == 0 || Blocks > 0, nameof(Dropout), Dropout, $"has no effect without {nameof(Blocks)}: leave it 0");
        Range(Components, 1, 64, nameof(Components));
        Require(Ranges.Bound.HoldsInFile(Bound), nameof(Bound), Bound, Ranges.Bound.Rule);
        Require(Ranges.SmallestBin.Holds(SmallestBin) && SmallestBin * Bins < 1, nameof(SmallestBin), SmallestBin,
            $"must be 1E-06 or more, and less than 1/{nameof(Bins)}: {Ranges.SmallestBin.Why}");
        Require(Ranges.SmallestDerivative.Holds(SmallestDerivative), nameof(SmallestDerivative), SmallestDerivative,
            Ranges.SmallestDerivative.Rule);
        Require(Enum.IsDefined(Transformer), nameof(Transformer), Transformer, "must be a defined value");
    }

    private protected override IEnumerable<string> NewerFaults() => [.. base.NewerFaults(), .. Newer(Ranges.Bound, Bound, nameof(Bound))];

    /// <inheritdoc/>
    protected override double? BoxBound => Transformer == AutoregressiveKind.Spline && !Standardize && !FlowBatchNorm ? Bound : null;

    /// <summary>The layers of the model, each from data to latents in one pass, or the other way round.</summary>
    internal Chain Chain(bool inverted)
    {
        var layers = Preprocessing(Standardize);
        var features = Shape[0];
        for (var i = 0; i < Layers; i++)
        {
            var transformer = NewTransformer();
            long[]? reversed = i % 2 == 0 ? null : [.. Enumerable.Range(0, checked((int)features)).Select(f => features - 1 - f)];
            var layer = new AutoregressiveLayer(Shape, transformer, size => new Made(size.Inputs, size.ParametersPerElement,
                new() { Hidden = Hidden, Blocks = Blocks, Residual = Residual, Order = reversed, ContextSize = ContextSize,
                InputLimit = InputLimit, Dropout = Dropout }));
            layers.Add(inverted ? new InvertedLayer(layer) : layer);
            if (FlowBatchNorm) layers.Add(new FlowBatchNorm(Shape));
        }
        return new Chain([.. layers]);
    }

    private ScalarTransformer NewTransformer() => Transformer switch
    {
        AutoregressiveKind.Affine => new AffineTransformer([1]),
        AutoregressiveKind.Spline => new SplineTransformer(Bins, -Bound, Bound, Tails, SmallestBin, SmallestDerivative),
        _ => new MixtureCdfTransformer(Components),
    };
}
