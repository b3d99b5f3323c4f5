using RealNvp.Internal;

namespace RealNvp;

/// <summary>Everything that describes a <see cref="SplineFlowModel"/>. A checkpoint carries this record as JSON.</summary>
public sealed record SplineFlowOptions : ModelOptions
{
    /// <summary>Starts with a <see cref="Standardization"/>, which the trainer fits to
    /// the training data. The splines bend within ±<see cref="Bound"/> only.</summary>
    public bool Standardize { get; init; }

    /// <summary>The number of coupling layers; at least 2, so that each feature is transformed.</summary>
    public int Layers { get; init; } = 10;

    /// <summary>The hidden features of each network.</summary>
    public long Hidden { get; init; } = 256;

    /// <summary>The residual blocks of each network.</summary>
    public int Blocks { get; init; } = 2;

    /// <summary>The probability of a <see cref="SeededDropout"/> in each block of the networks, 0 ... 0.9; 0 for none. For trainings that
    /// learn their rows by heart. With it, a step takes longer: networks run in plain operations rather than in kernels.</summary>
    public double Dropout { get; init; }

    /// <summary>The bins of each spline, 1 to 64.</summary>
    public int Bins { get; init; } = 8;

    /// <summary>The splines bend within ± this, and are the identity outside.</summary>
    public double Bound { get; init; } = 3;

    /// <summary>The smallest width and height of a bin, as a part of the
    /// interval: 1e-6 or more, and less than 1/<see cref="Bins"/>.</summary>
    public double SmallestBin { get; init; } = SplineTransformer.MinBinSize;

    /// <summary>The smallest derivative at a knot, in 1e-6 ... 0.5.</summary>
    public double SmallestDerivative { get; init; } = SplineTransformer.MinDerivative;

    /// <summary>An <see cref="InvertibleLinearLayer"/> before each coupling and at the end, as in the paper, which starts as a random
    /// permutation (<see cref="InvertibleLinearLayer.StartingAsPermutation"/>); false for couplings alone.</summary>
    public bool Linear { get; init; } = true;

    /// <summary>
    /// The features that are positions on circles, such as angles, by index; empty for none. The density of the
    /// model has no jump where a circle is cut, and samples lie in [<see cref="CircleLow"/>,
    /// <see cref="CircleHigh"/>). <see cref="Standardize"/> and <see cref="Linear"/> are for the other features.
    /// </summary>
    public FeatureSet CircularFeatures { get; init; }

    /// <summary>The lower edge of each circle.</summary>
    public double CircleLow { get; init; } = -Math.PI;

    /// <summary>The upper edge of each circle, one turn on.</summary>
    public double CircleHigh { get; init; } = Math.PI;

    /// <summary>A torus: all features are angles in radians. 8 couplings with networks of 64 hidden features.</summary>
    /// <param name="features">D, at least 2.</param>
    public static SplineFlowOptions Torus(long features) =>
        new() { Shape = Vector(features), Layers = 8, Hidden = 64, Blocks = 1, CircularFeatures = FeatureSet.All(features) };

    /// <summary>2-D toy densities: 4 couplings with an MLP of 64 hidden features.</summary>
    public static SplineFlowOptions Toy2D { get; } = new() { Shape = [2], Layers = 4, Hidden = 64, Blocks = 1, Linear = false };

    /// <summary>
    /// Tables of continuous features: standardization, 10 couplings of 8 bins within ±5 standard deviations,
    /// whose networks see no more than that; Student's t latents. Chosen on four data sets: docs/presets.md.
    /// </summary>
    /// <param name="features">D, at least 2.</param>
    /// <param name="rows">How many rows there are to train on, if that is known: 32 hidden features, 1 block and 4 bins
    /// below 500, 64 hidden features below 10,000, 128 below 100,000, else the 256 of the paper; null is as for 20,000.</param>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than 1 row.</exception>
    public static SplineFlowOptions Tabular(long features, long? rows = null)
    {
        var (hidden, blocks, bins) = RowsOf(rows) switch { < 500 => (32, 1, 4), < 10_000 => (64, 2, 8), < 100_000 => (128, 2, 8),
            _ => (256, 2, 8) };
        return ForTables(new SplineFlowOptions { Shape = Vector(features), Standardize = true, Bound = 5, Hidden = hidden, Blocks = blocks,
            Bins = bins });
    }

    /// <summary>The paper's settings for POWER and for GAS (appendix B.1): 10 couplings, 2
    /// blocks of 256, 8 bins. For GAS, the paper has <see cref="Dropout"/> of 0.1 besides.</summary>
    /// <param name="features">6 for POWER, 8 for GAS.</param>
    public static SplineFlowOptions PowerOrGas(long features = 6) => new() { Shape = Vector(features) };

    /// <summary>The paper's settings for HEPMASS and for BSDS300 (appendix B.1): 20
    /// couplings, 1 block of 128, 8 bins. The paper has <see cref="Dropout"/> of 0.2 besides.</summary>
    /// <param name="features">21 for HEPMASS, 63 for BSDS300.</param>
    public static SplineFlowOptions HepmassOrBsds300(long features = 21) =>
        new() { Shape = Vector(features), Layers = 20, Hidden = 128, Blocks = 1 };

    /// <summary>The paper's settings for MINIBOONE (appendix B.1): 43 features, 10
    /// couplings, 1 block of 32, 4 bins. The paper has <see cref="Dropout"/> of 0.2 besides.</summary>
    public static SplineFlowOptions Miniboone { get; } = new() { Shape = [43], Hidden = 32, Blocks = 1, Bins = 4 };

    /// <inheritdoc/>
    protected override void CheckRules()
    {
        base.CheckRules();
        RequirePair();
        RequireContinuous(Standardize);
        Range(Layers, 2, 4096, nameof(Layers));
        Range(Hidden, 1, 1 << 16, nameof(Hidden));
        Range(Blocks, 0, 1024, nameof(Blocks));
        Range(Bins, 1, 64, nameof(Bins));
        Require(Ranges.Dropout.Holds(Dropout), nameof(Dropout), Dropout, Ranges.Dropout.Rule);
        Require(Dropout == 0 || Blocks > 0, nameof(Dropout), Dropout, $"has no effect without {nameof(Blocks)}: leave it 0");
        Require(Ranges.Bound.HoldsInFile(Bound), nameof(Bound), Bound, Ranges.Bound.Rule);
        Require(Ranges.SmallestBin.Holds(SmallestBin) && SmallestBin * Bins < 1, nameof(SmallestBin), SmallestBin,
            $"must be 1E-06 or more, and less than 1/{nameof(Bins)}: {Ranges.SmallestBin.Why}");
        Require(Ranges.SmallestDerivative.Holds(SmallestDerivative), nameof(SmallestDerivative), SmallestDerivative,
            Ranges.SmallestDerivative.Rule);
        Require(CircleLow < CircleHigh && double.IsFinite(CircleHigh - CircleLow), nameof(CircleHigh), CircleHigh,
            "must be above CircleLow, both finite");
        if (CircularFeatures.Count == 0) return;
        Require(CircularFeatures[CircularFeatures.Count - 1] < Shape[0], nameof(CircularFeatures), CircularFeatures,
            $"must be features of {Shape}, 0 to {Shape[0] - 1}");
        Require(Levels == 0, nameof(CircularFeatures), CircularFeatures, "does not go together with Levels");
        Require(Base != BaseDensityKind.UniformBox, nameof(Base), Base,
            "is for the features that are no circles; circles have a uniform density of their own");
    }

    private protected override IEnumerable<string> NewerFaults() =>
    [
        .. base.NewerFaults(),
        .. Newer(Ranges.Bound, Bound, nameof(Bound)),
        .. Newer(Ranges.IsPrecise(CircleLow, CircleHigh), CircleHigh, nameof(CircleHigh),
            "must be above CircleLow, both finite, by 1E-06 to 1E+09 and by at least 0.001 of each: else positions have no digits in " +
            "float32"),
        // no feature is left that they could be for
        .. Newer(!AllCircles || Base == BaseDensityKind.StandardNormal, Base, nameof(Base), OnlyCircles),
        .. Newer(!AllCircles || TailThreshold is null, TailThreshold, nameof(TailThreshold), OnlyCircles),
    ];

    private const string OnlyCircles =
        "is for features that are no circles, and all of them are circles, whose latents are uniform: leave it as it is";

    // asked before the shape is checked
    private bool AllCircles => Shape.Count == 1 && CircularFeatures.Count > 0 && CircularFeatures.Count == Shape[0];

    /// <inheritdoc/>
    protected override double? BoxBound => Standardize || Linear ? null : Bound;

    /// <inheritdoc/>
    protected internal override FlowParts Build() => CircularFeatures.Count > 0
        ? new(CircularSplines.Build(this)) { BaseDensity = CircularSplines.Base(this), ContextEncoder = NewContextEncoder() }
        : new(NewChain()) { BaseDensity = NewBase(), ContextEncoder = NewContextEncoder() };

    private Chain NewChain()
    {
        var layers = Preprocessing(Standardize);
        for (var i = 0; i < Layers; i++)
        {
            if (Linear) layers.Add(InvertibleLinearLayer.StartingAsPermutation(Shape));
            var mask = i % 2 == 0 ? Mask.Alternating(Shape[0]) : !Mask.Alternating(Shape[0]);
            layers.Add(new CouplingLayer(Shape, mask, new SplineTransformer(Bins, -Bound, Bound, Tails, SmallestBin, SmallestDerivative),
                size => new ResidualMlp(size.Inputs, size.Outputs, Hidden, Blocks, ContextSize, InputLimit, Dropout)));
        }
        if (Linear) layers.Add(InvertibleLinearLayer.StartingAsPermutation(Shape));
        return new Chain([.. layers]);
    }
}
