using RealNvp.Internal;

namespace RealNvp;

/// <summary>Everything that describes a <see cref="FfjordModel"/>. A checkpoint carries this record as JSON.</summary>
public sealed record FfjordOptions : ModelOptions
{
    private const double LogitAlpha = 0.05;

    /// <summary>Vectors: starts with a <see cref="Standardization"/>, which the
    /// trainer fits to the training data. Circles are left as they are.</summary>
    public bool Standardize { get; init; }

    /// <summary>The network that gives the velocity.</summary>
    public FfjordNetwork Network { get; init; }

    /// <summary>The features, or channels, of each hidden layer.</summary>
    public long Hidden { get; init; } = 64;

    /// <summary>The number of hidden layers.</summary>
    public int HiddenLayers { get; init; } = 3;

    /// <summary>The function between the layers.</summary>
    public SmoothActivation Activation { get; init; } = SmoothActivation.Tanh;

    /// <summary>A plain network: the number of frequencies at which it sees time, beside time itself; 0 to 64.</summary>
    public int TimeFrequencies { get; init; }

    /// <summary>Images: how often 2×2 pixels become channels before the velocity, which then sees four times as far; 0 to 8.</summary>
    public int Squeezes { get; init; }

    /// <summary>Vectors of a plain network: the features that are positions on circles, such as angles,
    /// by index; empty for none. All or none: the base density is uniform on them.</summary>
    public FeatureSet CircularFeatures { get; init; }

    /// <summary>The lower edge of each circle.</summary>
    public double CircleLow { get; init; } = -Math.PI;

    /// <summary>The upper edge of each circle, one turn on.</summary>
    public double CircleHigh { get; init; } = Math.PI;

    /// <summary>The method of the solver.</summary>
    public OdeMethod Method { get; init; } = OdeMethod.Dopri5;

    /// <summary>The tolerance of the solver, in units of x and of nats; null is 1e-5 in float32 and 1e-8 in float64.</summary>
    public double? Tolerance { get; init; }

    /// <summary>The number of steps, for methods with steps of one size; 1 to 10,000.</summary>
    public int Steps { get; init; } = 32;

    /// <summary>How the divergence is had: exact up to 64 elements or if it is cheap, else an estimate, unless chosen.</summary>
    public DivergenceKind Divergence { get; init; } = DivergenceKind.Automatic;

    /// <summary>The random vectors of an estimated divergence in evaluation, 1 to 1024; their spread gives standard errors.</summary>
    public int EvaluationProbes { get; init; } = 8;

    /// <summary>2-D toy densities, as FFJORD: three concat-squash layers of 64, tanh.</summary>
    public static FfjordOptions Toy2D { get; } = new() { Shape = [2] };

    /// <summary>2-D toy densities by flow matching: two hidden layers of 256, whose exact divergence is cheap.</summary>
    public static FfjordOptions Matching2D { get; } = new() { Shape = [2], Network = FfjordNetwork.Plain, Hidden = 256, HiddenLayers = 2,
        Activation = SmoothActivation.Silu, TimeFrequencies = 4 };

    /// <summary>A torus: all features are angles in radians. Two hidden layers of 256.</summary>
    /// <param name="features">D, at least 1.</param>
    public static FfjordOptions Torus(long features) =>
        Matching2D with { Shape = Vector(features), CircularFeatures = FeatureSet.All(features) };

    /// <summary>A sphere: data are unit vectors of D numbers, latents are uniform, and densities are
    /// by area. Two hidden layers of 256, whose velocity is along the sphere.</summary>
    /// <param name="features">D, at least 2: 3 for the ordinary sphere, of latitude and longitude.</param>
    public static FfjordOptions Sphere(long features) =>
        Matching2D with { Shape = Vector(features), Base = BaseDensityKind.UniformSphere };

    /// <summary>Tables of continuous features: standardization, and a plain network of two
    /// hidden layers, whose exact divergence is cheap for any number of columns.</summary>
    /// <param name="features">D, at least 1.</param>
    /// <param name="rows">How many rows there are to train on, if that is known:
    /// 128 hidden features below 10,000, else 256; null is as for 20,000.</param>
    /// <exception cref="ArgumentOutOfRangeException">Fewer than 1 row.</exception>
    public static FfjordOptions Tabular(long features, long? rows = null) => Matching2D with
    {
        Shape = Vector(features), Standardize = true, StandardizeContext = true, Hidden = RowsOf(rows) < 10_000 ? 128 : 256,
    };

    /// <summary>8×8 digits of 17 levels: a plain network of two hidden layers of 512, with an exact likelihood.</summary>
    public static FfjordOptions Digits8x8 { get; } = Matching2D with { Shape = [1, 8, 8], Levels = 17, Hidden = 512 };

    /// <summary>28×28 bytes: concat-squash convolutions of 64 channels behind one squeeze, softplus
    /// (FFJORD, appendix B.2, without its scales). The likelihood is an estimate.</summary>
    public static FfjordOptions Grey28x28 { get; } = new() { Shape = [1, 28, 28], Levels = 256, Squeezes = 1,
        Activation = SmoothActivation.Softplus };

    /// <inheritdoc/>
    protected override bool KeepsLength => !Standardize;

    /// <inheritdoc/>
    protected override void CheckRules()
    {
        base.CheckRules();
        RequireContinuous(Standardize);
        Require(!Standardize || !IsImage, nameof(Standardize), Standardize, "is for vectors only");
        Require(InputLimit is null, nameof(InputLimit), InputLimit, "must be null: a velocity sees all of x");
        Require(Enum.IsDefined(Network), nameof(Network), Network, "must be a defined value");
        Require(Enum.IsDefined(Activation), nameof(Activation), Activation, "must be a defined value");
        Require(Enum.IsDefined(Method), nameof(Method), Method, "must be a defined value");
        Require(Enum.IsDefined(Divergence), nameof(Divergence), Divergence, "must be a defined value");
        Range(Hidden, 1, 1 << 16, nameof(Hidden));
        Range(HiddenLayers, 1, 1024, nameof(HiddenLayers));
        Range(TimeFrequencies, 0, 64, nameof(TimeFrequencies));
        Range(Squeezes, 0, 8, nameof(Squeezes));
        Range(Steps, 1, 10_000, nameof(Steps));
        Range(EvaluationProbes, 1, 1024, nameof(EvaluationProbes));
        Require(Tolerance is null or (>= 1e-14 and <= 1), nameof(Tolerance), Tolerance, "must be in 1e-14 ... 1, or null");
        Require(Squeezes == 0 || (IsImage && Shape[1] % (1L << Squeezes) == 0 && Shape[2] % (1L << Squeezes) == 0), nameof(Squeezes),
            Squeezes, "needs images that can be halved so often");
        if (CircularFeatures.Count == 0) return;
        Require(!IsImage, nameof(CircularFeatures), CircularFeatures, $"is for vectors, and the shape {Shape} is of images");
        Require(CircularFeatures.Count == Shape[0] && CircularFeatures.Max() == Shape[0] - 1, nameof(CircularFeatures), CircularFeatures,
            $"must be all features of {Shape}, 0 to {Shape[0] - 1}: a flow of angles and other numbers is SplineFlowModel");
        Require(Levels == 0, nameof(Levels), Levels, "must be 0 with CircularFeatures: positions on circles are continuous");
        Require(Network == FfjordNetwork.Plain, nameof(Network), Network, "must be Plain with CircularFeatures");
        Require(!Standardize, nameof(Standardize), Standardize, "must be false with CircularFeatures: a circle keeps its ends");
        Require(TailThreshold is null, nameof(TailThreshold), TailThreshold, "must be null with CircularFeatures: circles have no tails");
        Require(Ranges.IsPrecise(CircleLow, CircleHigh), nameof(CircleHigh), CircleHigh,
            "must be finite, above CircleLow, and not so far from it or so near that positions have no digits");
        Require(Base is BaseDensityKind.StandardNormal, nameof(Base), Base, "must be left as it is: latents on circles are uniform");
    }

    /// <inheritdoc/>
    protected internal override FlowParts Build()
    {
        var (layers, shape) = (IsImage ? Pixels() : Preprocessing(Standardize), Shape);
        if (CircularFeatures.Count > 0) layers.Add(new Wrap(Shape, CircularFeatures, CircleLow, CircleHigh));
        for (var i = 0; i < Squeezes; i++)
        {
            layers.Add(new Squeeze(shape));
            shape = [4 * shape[0], shape[1] / 2, shape[2] / 2];
        }
        layers.Add(new ContinuousLayer(NewDynamics(shape), shape, new ContinuousOptions
        {
            Method = Method, Tolerance = Tolerance, Steps = Steps, Divergence = Divergence, EvaluationProbes = EvaluationProbes,
        }));
        // a path may go round, and latents are positions
        if (CircularFeatures.Count > 0) layers.Add(new Wrap(Shape, CircularFeatures, CircleLow, CircleHigh));
        return new(new Chain([.. layers]))
        {
            BaseDensity = CircularFeatures.Count > 0 ? new UniformBox(Shape, CircleLow, CircleHigh) : NewBase(shape),
            ContextEncoder = NewContextEncoder(),
        };
    }

    private List<Bijection> Pixels() =>
        Levels == 0 ? [] : [new UniformDequantization(Levels, Shape), new LogitTransform(LogitAlpha, Shape)];

    private Dynamics NewDynamics(EventShape shape) =>
        Base == BaseDensityKind.UniformSphere ? new SphericalDynamics(NewNetwork(shape)) : NewNetwork(shape);

    private Dynamics NewNetwork(EventShape shape) => Network == FfjordNetwork.Plain
        ? new TimeMlp(shape, Hidden, HiddenLayers, ContextSize, Activation, TimeFrequencies,
            [.. CircularFeatures.Select(f => new Circle(f, CircleLow, CircleHigh))])
        : shape.Count == 3
            ? new ConcatSquashConvNet(shape[0], Hidden, HiddenLayers, ContextSize, Activation)
            : new ConcatSquashMlp(shape[0], Hidden, HiddenLayers, ContextSize, Activation);
}
