namespace RealNvp.Reproduce;

/// <summary>Every model for vectors on each of six densities in the plane.</summary>
internal static class TwoDRecipes
{
    private const double Budget = 1.0 / 6;

    public static Grid Grid { get; } = new("Six densities in the plane",
        "The densities of `samples/Density2D`: 100,000 points to train on, 2,000 to validate and 5,000 for the test, of other seeds. " +
        "Each model has 10 seconds of one thread, so that this compares what a short training gives, and not what a model can do: " +
        "`samples/Density2D` trains longer. Batches of 256, averaged weights, Adam at 2e-3; at 1e-2 for residual and continuous flows. " +
        "Nats a point, held out; standard errors are 0.01 to 0.02.");

    public static IEnumerable<Recipe> All { get; } = [.. DataSets.TwoD.SelectMany(Of)];

    private static IEnumerable<Recipe> Of(DataSet data)
    {
        (string Name, string Title, ModelOptions Options)[] models =
        [
            ("nice", "NICE", NiceOptions.Tabular(2)),
            ("realnvp", "Real NVP", RealNvpOptions.Toy2D with { Standardize = true }),
            ("spline-coupling", "RQ-NSF (C)", SplineFlowOptions.Toy2D with { Standardize = true }),
            ("maf", "MAF", MafOptions.Toy2D with { Standardize = true }),
            ("mixture-autoregressive", "MAF, mixtures", MafOptions.Toy2D with { Standardize = true,
                Transformer = AutoregressiveKind.Mixture }),
            ("spline-autoregressive", "RQ-NSF (AR)", MafOptions.SplineTabular(2)),
            ("iaf", "IAF", IafOptions.Toy2D with { Standardize = true }),
            ("residual", "residual", ResidualFlowOptions.Toy2D with { Standardize = true }),
            ("ffjord", "FFJORD", FfjordOptions.Toy2D with { Standardize = true }),
            ("matching", "flow matching", FfjordOptions.Matching2D with { Standardize = true }),
        ];
        foreach (var (name, title, options) in models)
            yield return new($"two-d-{data.Name}-{name}", title, data, _ => options)
            {
                Grid = Grid, Minutes = Budget, Objective = name == "matching" ? Objective.FlowMatching() : Objective.MaximumLikelihood,
                Training = o => o with { BatchSize = 256, Epochs = 100_000, Patience = int.MaxValue, AverageDecay = 0.99,
                    LearningRate = options is FfjordOptions or ResidualFlowOptions ? 1e-2 : 2e-3 },
            };
    }
}
