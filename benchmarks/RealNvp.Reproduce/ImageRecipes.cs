namespace RealNvp.Reproduce;

/// <summary>Images: the digits that come with the samples, MNIST and CIFAR-10.</summary>
internal static class ImageRecipes
{
    private const string RealNvpPaper = "arXiv 1605.08803, table 1", GlowPaper = "arXiv 1807.03039, table 2";

    public static IEnumerable<Recipe> All { get; } =
    [
        .. Digits(),
        new("mnist-realnvp", "Real NVP", DataSets.Mnist, _ => RealNvpOptions.Image([1, 28, 28], scales: 3, blocks: 1, hidden: 16))
        { Training = o => Images(o, 6_000), Minutes = 120, Remark = Few },
        new("mnist-glow", "Glow", DataSets.Mnist, _ => new GlowOptions { Shape = [1, 28, 28], Scales = 2, Layers = 8, Hidden = 64 })
        { Training = o => Images(o, 6_000), Minutes = 120, Remark = Few },
        new("cifar10-realnvp", "Real NVP", DataSets.Cifar10, _ => RealNvpOptions.Cifar10)
        { Paper = 3.49, Source = RealNvpPaper, NeedsDevice = true, Training = o => Images(o, 200_000), Minutes = 100_000,
            Remark = Device },
        new("cifar10-glow", "Glow", DataSets.Cifar10, _ => GlowOptions.Cifar10)
        { Paper = 3.35, Source = GlowPaper, NeedsDevice = true, Training = o => Images(o, 200_000), Minutes = 100_000,
            Remark = Device },
    ];

    private const string Few = "A small model and a few of the epochs that images need (a step has 64 of 50,000 images): what two cores " +
        "can do in some minutes. Validation still fell in each epoch, so it is a figure of the time, and none of the model.";

    private const string Device = "It needs a GPU (`--device cuda`) and has not been run. It will be evaluated on the last 5,000 of the " +
        "training images, which no part of the training sees, and so it will not be the paper's figure, which is of the test images.";

    private static TrainingOptions Images(TrainingOptions o, long steps) => o with
    {
        BatchSize = 64, LearningRate = 1e-3, Schedule = new CosineSchedule { WarmUpSteps = 200 }, Epochs = 100_000, MaxSteps = steps,
        AverageDecay = 0.999,
    };

    private static IEnumerable<Recipe> Digits()
    {
        (string Name, string Title, ModelOptions Options)[] models =
        [
            ("nice", "NICE", NiceOptions.Mnist with { Shape = [64], Levels = 17, Hidden = 256, HiddenLayers = 3 }),
            ("realnvp", "Real NVP", RealNvpOptions.Digits8x8),
            ("glow", "Glow", GlowOptions.Digits8x8),
            ("residual", "residual", ResidualFlowOptions.Digits8x8),
            ("matching", "flow matching", FfjordOptions.Digits8x8),
        ];
        foreach (var (name, title, options) in models)
            yield return new($"digits-{name}", title, DataSets.Digits, _ => options)
            {
                Minutes = 1, Objective = name == "matching" ? Objective.FlowMatching() : Objective.MaximumLikelihood,
                Training = o => o with { BatchSize = 64, LearningRate = 1e-3, Schedule = new ConstantSchedule { WarmUpSteps = 50 },
                    Epochs = 100_000, Patience = 20, AverageDecay = 0.99 },
            };
    }
}
