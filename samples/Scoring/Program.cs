using System.CommandLine;
using RealNvp.Samples.Common;

namespace RealNvp.Samples.Scoring;

/// <summary>Scores Parquet and CSV from SQL with a flow, in bounded memory.</summary>
public static class Program
{
    /// <summary>Runs the sample.</summary>
    /// <param name="args">The command line; <c>--help</c> lists the options.</param>
    /// <returns>0, or 1 after an error.</returns>
    public static int Main(string[] args)
    {
        var rows = SampleOption.Whole("--rows", "The rows of the table. Default: 500000.", 1000);
        var threads = SampleOption.Whole("--threads", "How many threads score. Default: one a core.", 1, 1024);
        var memory = SampleOption.Whole("--memory", "The memory of DuckDB in megabytes. Default: 256.", 64);
        var epochs = SampleOption.Whole("--epochs", "Passes of the training over 20,000 rows. Default: 5.", 1);
        Option<string> folder = new("--out") { Description = "The folder of the tables.", DefaultValueFactory = _ => Path.Combine("out",
            "scoring") };
        RootCommand command = new("Scores Parquet and CSV from SQL with a normalizing flow, in bounded memory.") { rows, threads, memory,
            epochs, folder };
        command.SetAction(parsed => new ScoringRun(parsed.GetValue(rows) ?? 500_000, parsed.GetValue(threads) ?? Environment.ProcessorCount,
            parsed.GetValue(memory) ?? 256, parsed.GetValue(folder)!, parsed.GetValue(epochs) ?? 5).Run(Console.Out));
        return SampleProgram.Run(command, args);
    }
}
