using System.CommandLine;
using RealNvp.Mpi;
using RealNvp.Samples.Common;
using TorchSharp;

namespace RealNvp.Samples.Parquet;

/// <summary>The command line: without a command it trains on a Parquet file; <c>make</c> writes one to try it with.</summary>
public static class Program
{
    /// <summary>Runs the sample.</summary>
    /// <param name="args">The command line; <c>--help</c> lists the options.</param>
    /// <returns>0, or 1 after an error.</returns>
    public static int Main(string[] args)
    {
        Option<string?> data = new("--data") { Description = "A Parquet file of at least 16 row groups. Default: a table that is made." };
        Option<string[]> ignore = new("--ignore") { Description = "A column to leave out; may be given several times.",
            DefaultValueFactory = _ => [] };
        var epochs = SampleOption.Whole("--epochs", "Passes over the rows. Default: 5.", 1);
        var batch = SampleOption.Whole("--batch", "Rows of a step, of all processes together; a multiple of 8. Default: 1024.", 8);
        var layers = SampleOption.Whole("--layers", "Coupling layers of the flow. Default: 4.", 1, 1000);
        var hidden = SampleOption.Whole("--hidden", "Hidden features of each network. Default: 32.", 1, 4096);
        Option<int> seed = new("--seed") { Description = "Seeds the weights and the order of the rows.", DefaultValueFactory = _ => 0 };
        Option<bool> resume = new("--resume") { Description = "Go on with the training whose checkpoint is in --out." };
        Option<bool> memory = new("--in-memory") {
            Description = "Read the rows of this process into memory first: mixes them better, if they fit." };
        Option<bool> mpi = new("--mpi") { Description = "Train on the processes that mpirun has started, each with its row groups." };
        Option<string> folder = new("--out") { Description = "The folder of model and checkpoint.",
            DefaultValueFactory = _ => Path.Combine("out", "parquet") };
        RootCommand root = new("Fits a normalizing flow to a Parquet file that may be larger than memory.") { data, ignore, epochs, batch,
            layers, hidden, seed, resume, memory, mpi, folder };
        root.SetAction(parsed => Processes(parsed.GetValue(mpi), exchange => new ParquetTraining
        {
            Data = parsed.GetValue(data),
            Ignore = parsed.GetValue(ignore)!,
            Epochs = parsed.GetValue(epochs) ?? 5,
            Batch = parsed.GetValue(batch) ?? 1024,
            Layers = parsed.GetValue(layers) ?? 4,
            Hidden = parsed.GetValue(hidden) ?? 32,
            Seed = parsed.GetValue(seed),
            Resume = parsed.GetValue(resume),
            InMemory = parsed.GetValue(memory),
            Output = parsed.GetValue(folder)!,
            Exchange = exchange,
        }.Run(exchange is { Rank: > 0 } ? TextWriter.Null : Console.Out)));

        var rows = SampleOption.Whole("--rows", "Rows. Default: 200000.", 16);
        var columns = SampleOption.Whole("--columns", "Columns of float32. Default: 8.", 2, 10_000);
        var group = SampleOption.Whole("--group", "Rows of a row group. Default: 5000.", 1);
        Option<string> file = new("--out") { Description = "The file.", DefaultValueFactory = _ => "rows.parquet" };
        Command make = new("make", "Writes a table to try it with.") { rows, columns, group, file };
        make.SetAction(parsed =>
        {
            var table = new MadeTable(parsed.GetValue(rows) ?? 200_000, parsed.GetValue(columns) ?? 8, parsed.GetValue(group) ?? 5_000);
            table.Write(parsed.GetValue(file)!);
            Console.WriteLine($"Written {parsed.GetValue(file)}: {table}");
        });
        root.Add(make);
        return SampleProgram.Run(root, args);
    }

    // alone, or with the processes that mpirun has started
    private static void Processes(bool mpi, Action<IGradientExchange?> train)
    {
        // of several threads most would wait, for each other or for other processes
        torch.set_num_threads(1);
        CpuTuning.Apply();
        if (mpi) MpiExchange.Run(train);
        else train(null);
    }
}
