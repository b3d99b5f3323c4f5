namespace RealNvp.Reproduce;

/// <summary>A published number, or a row of a comparison, and how it is made again.</summary>
/// <param name="Name">The folder of its run, such as <c>bsds300-spline</c>.</param>
/// <param name="Title">The model in the papers' words.</param>
/// <param name="Data">The data set.</param>
/// <param name="Model">The options of the model, from the data and the seed of the recipe.</param>
internal sealed record Recipe(string Name, string Title, DataSet Data, Func<Splits, ModelOptions> Model)
{
    /// <summary>The figure of the paper in nats a row, higher is better; null if none belongs to these rows.</summary>
    public double? Paper { get; init; }

    /// <summary>Where the paper prints it.</summary>
    public string? Source { get; init; }

    /// <summary>The training.</summary>
    public TrainingOptions Training { get; init; } = new() { BatchSize = 256, LearningRate = 1e-3, Epochs = 100_000, AverageDecay = 0.999 };

    /// <summary>The most minutes of training, over all runs together.</summary>
    public double Minutes { get; init; } = 3;

    /// <summary>Seeds the weights, the order of rows and noise.</summary>
    public int Seed { get; init; }
}

/// <summary>A data set of the recipes.</summary>
/// <param name="Name">Its name in the page of results.</param>
/// <param name="Protocol">How rows are drawn and split, in a sentence.</param>
/// <param name="Load">Reads it from the folder of all data.</param>
internal sealed record DataSet(string Name, string Protocol, Func<string, Splits> Load)
{
    /// <summary>The Gaussian's figure in the papers, in nats; null if none belongs to these rows.</summary>
    public double? PaperGaussian { get; init; }
}
