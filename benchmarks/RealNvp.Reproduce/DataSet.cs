namespace RealNvp.Reproduce;

/// <summary>A data set of the recipes.</summary>
/// <param name="Name">Its name in the page of results.</param>
/// <param name="Protocol">How rows are drawn and split, in a sentence.</param>
/// <param name="Files">The files that it is read from, below the folder of all data.</param>
/// <param name="Read">Reads it from that folder; the files are there.</param>
internal sealed record DataSet(string Name, string Protocol, IReadOnlyList<string> Files, Func<string, Splits> Read)
{
    /// <summary>Where the data of the papers come from, for who lacks them.</summary>
    public string Origin { get; init; } = "";

    /// <summary>The Gaussian's figure in the papers, in nats; null if none belongs to these rows.</summary>
    public double? PaperGaussian { get; init; }

    /// <summary>Whether the figures are bits per dimension rather than nats.</summary>
    public bool InBits { get; init; }

    /// <summary>The file of a picture of samples, a row each model, beside the page; null for none.</summary>
    public string? Picture { get; init; }

    /// <summary>Reads it.</summary>
    /// <param name="folder">The folder of all data; null if the user named none.</param>
    /// <exception cref="FileNotFoundException">A file is not there; the message says which, and where it comes from.</exception>
    public Splits Load(string? folder)
    {
        if (Files.Count > 0 && folder is null)
            throw new FileNotFoundException($"{Name} is read from files: name the folder of the data with --data. {Wanted}");
        foreach (var file in Files)
            if (!File.Exists(Path.Combine(folder!, file)))
                throw new FileNotFoundException($"{Name} needs {Path.Combine(folder!, file)}, and it is not there. {Wanted}");
        return Read(folder ?? "");
    }

    private string Wanted => $"Its files are {string.Join(", ", Files)}. {Origin}".TrimEnd();
}
