using RealNvp;

namespace RealNvp.Samples.Density2D;

/// <summary>A kind of flow for the plane: how it is made, and in what its training differs from the sample's.</summary>
/// <param name="Description">A few words for <c>--help</c>.</param>
/// <param name="New">Makes a new flow for a density of a name, with a seed. The caller disposes it.</param>
internal sealed record ToyModel(string Description, Func<string, int, FlowModel> New)
{
    /// <summary>How many steps it is trained for unless the command line says so.</summary>
    public int Steps { get; init; } = 3000;

    /// <summary>The training, from that of the sample.</summary>
    public Func<TrainingOptions, TrainingOptions> Training { get; init; } = options => options;

    /// <summary>What the training makes small.</summary>
    public Objective Objective { get; init; } = Objective.MaximumLikelihood;
}

/// <summary>The models of this sample, by the name that <c>--model</c> takes. A new one is a line here.</summary>
internal static class ToyModels
{
    /// <summary>The model that is taken without <c>--model</c>.</summary>
    public const string Default = "spline";

    /// <summary>All models by name.</summary>
    public static IReadOnlyDictionary<string, ToyModel> All { get; } = new Dictionary<string, ToyModel>
    {
        // 16 bins hold the edges of the checkerboard: -3.488 nats of at best -log 32 = -3.466, where 8 bins have -3.551
        [Default] = new("neural spline flow, for all of the shapes", (_, seed) =>
            new SplineFlowModel(SplineFlowOptions.Toy2D with { Layers = 4, Hidden = 128, Blocks = 2, Bins = 16, Standardize = true }, seed))
        {
            Training = options => options with { LearningRate = 2e-3 },
        },
        // many narrow blocks, as each of them moves a point by little; and CLipSwish, whose slope does not vanish on one side of a unit.
        // 24 blocks have -3.15 nats on the two spirals with LipSwish after 600 steps, and -2.74 with CLipSwish
        ["residual"] = new("residual flow: one network in each direction, no coupling; slower", (_, seed) => ToyWeights.Sharpened(
            new ResidualFlowModel(ResidualFlowOptions.Toy2D with { Standardize = true }, seed), seed))
        {
            Training = options => options with { LearningRate = 1e-2, BatchSize = 512, AverageDecay = 0.99 },
            Steps = 2000,
        },
        // 600 steps from a first layer ten times as steep blur the outer rings: -2.872 nats, where these have -2.674
        ["ffjord"] = new("continuous flow by maximum likelihood; slower", (_, seed) => ToyWeights.Sharpened(
            new FfjordModel(FfjordOptions.Toy2D with { Network = FfjordNetwork.Plain, HiddenLayers = 2, TimeFrequencies = 2,
                Tolerance = 1e-4, Standardize = true }, seed), firstGain: 20))
        {
            Training = options => options with { LearningRate = 1e-2, AverageDecay = 0.98 },
            Steps = 1500,
        },
        // the rings want more: 15,000 steps have -2.784 nats on them, and 6,000 have -2.868
        ["matching"] = new("continuous flow by flow matching", (_, seed) => ToyWeights.Sharpened(
            new FfjordModel(FfjordOptions.Matching2D with { Hidden = 128, HiddenLayers = 3, TimeFrequencies = 2,
                Activation = SmoothActivation.Tanh, Standardize = true }, seed), firstGain: 10))
        {
            Objective = ToyMatching.Objective,
            Training = options => options with { LearningRate = 8e-3, BatchSize = 1024, AverageDecay = 0.998 },
            Steps = 6000,
        },
        // 16 layers and twice the learning rate gain 0.04 nats on the pinwheel, and lose 0.07 on the checkerboard and 0.12 on the rings
        ["realnvp"] = new("affine couplings, which need many more steps for fine shapes", (_, seed) =>
            new RealNvpModel(RealNvpOptions.Toy2D with { Layers = 10, Blocks = 2, Standardize = true }, seed)),
    };
}
