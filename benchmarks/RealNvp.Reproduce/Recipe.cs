namespace RealNvp.Reproduce;

/// <summary>A published number, or a row of a comparison, and how it is made again.</summary>
/// <param name="Name">The folder of its run, such as <c>bsds300-spline-coupling</c>.</param>
/// <param name="Title">The model in the papers' words.</param>
/// <param name="Data">The data set.</param>
/// <param name="Model">The options of the model, from the data.</param>
internal sealed record Recipe(string Name, string Title, DataSet Data, Func<Splits, ModelOptions> Model)
{
    /// <summary>The figure of the paper in nats a row, higher is better; null if none belongs to these rows.</summary>
    public double? Paper { get; init; }

    /// <summary>Where the paper prints it.</summary>
    public string? Source { get; init; }

    /// <summary>Which budget this is of a comparison with other libraries, as their lines name it: "updates" or "minutes".</summary>
    public string? Budget { get; init; }

    /// <summary>The model of the other libraries that it stands beside; null for that of the same title.</summary>
    public string? Beside { get; init; }

    /// <summary>Changes the training that the model asks for by itself (<see cref="TrainingOptions.For(ITrainingDefaults)"/>).</summary>
    public Func<TrainingOptions, TrainingOptions> Training { get; init; } = o => o;

    /// <summary>What the training makes small.</summary>
    public Objective Objective { get; init; } = Objective.MaximumLikelihood;

    /// <summary>The table of several data sets that this is a cell of; null for a row in the section of its data.</summary>
    public Grid? Grid { get; init; }

    /// <summary>Whether it takes so long on a processor that it is refused there.</summary>
    public bool NeedsDevice { get; init; }

    /// <summary>The rows of an epoch, of which there are more (<see cref="Walk"/>);
    /// null for all rows, shuffled anew in each epoch.</summary>
    public long? RowsPerEpoch { get; init; }

    /// <summary>The most minutes of the processor for the training, over all calls together and all threads.</summary>
    public double Minutes { get; init; } = 1;

    /// <summary>Seeds the weights, the order of rows and noise.</summary>
    public int Seed { get; init; }

    /// <summary>What a reader of the page should know: what was tried, and what is missing; null for nothing.</summary>
    public string? Remark { get; init; }
}
