namespace RealNvp.Reproduce;

/// <summary>The folder of a run: a few small files of text, without paths or names of machines.</summary>
internal sealed class RunFolder(string path)
{
    /// <summary>What each run has.</summary>
    public static IReadOnlyList<string> Names { get; } = ["log.csv", "model.txt", "options.json", "result.json"];

    /// <summary>No file of a run may be larger, all together.</summary>
    public const long MostBytes = 100_000;

    /// <summary>A line an epoch: its number, steps and minutes of the processor at its end, training and validation loss in nats.</summary>
    public string Log => System.IO.Path.Combine(path, Names[0]);

    /// <summary>The layers of the model and their weights, in words.</summary>
    public string Model => System.IO.Path.Combine(path, Names[1]);

    /// <summary>The options of the model and of the training, and the seed.</summary>
    public string Options => System.IO.Path.Combine(path, Names[2]);

    /// <summary>What it ended with.</summary>
    public string Result => System.IO.Path.Combine(path, Names[3]);

    /// <summary>The runs in a folder that have results, in the order of their names.</summary>
    public static IEnumerable<RunResult> Results(string runs) => !Directory.Exists(runs) ? []
        : Directory.EnumerateFiles(runs, Names[3], SearchOption.AllDirectories).Order(StringComparer.Ordinal).Select(RunResult.Load);

    /// <summary>What is wrong with the runs in a folder, in words; empty if nothing is.</summary>
    public static IEnumerable<string> Faults(string runs)
    {
        foreach (var folder in Directory.EnumerateDirectories(runs).Order(StringComparer.Ordinal))
        {
            var name = System.IO.Path.GetFileName(folder);
            if (Directory.EnumerateFiles(folder).All(f => f.EndsWith(".jsonl", StringComparison.Ordinal))) continue;
            foreach (var missing in Names.Where(n => !File.Exists(System.IO.Path.Combine(folder, n))))
                yield return $"{name} lacks {missing}";
            if (Directory.EnumerateFiles(folder).Sum(f => new FileInfo(f).Length) > MostBytes)
                yield return $"{name} is larger than {MostBytes} bytes";
            if (!Recipes.All.Any(r => r.Name == name)) yield return $"{name} is of no recipe";
        }
    }

    public void Create() => Directory.CreateDirectory(path);
}
