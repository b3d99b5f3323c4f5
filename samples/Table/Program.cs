using System.CommandLine;
using RealNvp.Mpi;
using RealNvp.Samples.Common;

namespace RealNvp.Samples.Table;

/// <summary>The command line: without a command it trains on a table; <c>score</c> scores new rows with a saved model.</summary>
public static class Program
{
    private static readonly Dictionary<string, char?> separators = new() { ["comma"] = ',', ["semicolon"] = ';', ["tab"] = '\t' };
    private static readonly Dictionary<string, char?> decimals = new() { ["point"] = '.', ["comma"] = ',' };
    private static readonly Dictionary<string, bool?> answers = new() { ["yes"] = true, ["no"] = false };

    /// <summary>Runs the sample.</summary>
    /// <param name="args">The command line; <c>--help</c> lists the options.</param>
    /// <returns>0, or 1 after an error.</returns>
    public static int Main(string[] args)
    {
        Option<string?> label =
            new("--label") {
                Description =
                "A column with the class of each row, which is left out of the model. The model learns from the normal rows; the others " +
                "show how well it finds them." };
        Option<string[]> normal =
            new("--normal") {
                Description =
                "The normal class in --label; may be given several times. Default: found out from 0 and 1, 1 and -1, or common words.",
                DefaultValueFactory = _ => [] };
        var separator = SampleOption.Choice("--separator", "What parts the fields. Default: found out.", separators);
        var header = SampleOption.Choice("--header", "Whether the first line holds the names of the columns. Default: found out.", answers);
        var mark = SampleOption.Choice("--decimal", "The decimal mark of numbers. Default: found out.", decimals);
        var device = SampleProgram.DeviceOption();
        CsvOptions Reading(ParseResult parsed) => new(parsed.GetValue(separator), parsed.GetValue(header), parsed.GetValue(mark));

        Option<string?> csv = new("--csv",
            "--data") { Description = "The table, a CSV file. Default: the table that comes with the samples." };
        Option<string[]> ignore = new("--ignore") { Description = "A column to leave out of the model; may be given several times.",
            DefaultValueFactory = _ => [] };
        Option<string> model = new("--model") { Description = $"The kind of flow: {string.Join(", ", TableModels.Names)}.",
            DefaultValueFactory = _ => TableModels.Default };
        var hidden = SampleOption.Whole("--hidden",
            "Hidden features of each network. Default: as in the library's preset for so many rows.", 1, 4096);
        var epochs = SampleOption.Whole("--epochs",
            "The largest number of passes over the training rows. Default: as many as --time allows, up to a sensible number.", 1);
        var batch = SampleOption.Whole("--batch", "Rows of a step. Default: 64, and more for more than 5,000 rows.", 1);
        var patience = SampleOption.Whole("--patience",
            "Stops after so many passes without a better validation. Default: 8 to 60, by the number of rows.", 1);
        var time = SampleOption.Number("--time", "The largest time to train, in minutes. Default: 3.", 0, 100_000);
        Option<string> folder = new("--out") { Description = "The folder of the model, the scores and the pictures.",
            DefaultValueFactory = _ => Path.Combine("out", "table") };
        Option<int> seed = new("--seed") { Description = "Seeds the split, the weights and the training.", DefaultValueFactory = _ => 0 };
        Option<bool> mpi = new("--mpi") { Description = "Train on the processes that mpirun has started, each with its part of the rows." };
        RootCommand root = new(
            "Fits a normalizing flow to a table of numbers, compares it with a Gaussian and an isolation forest, and finds unusual rows.")
        {
            csv, label, normal, ignore, model, hidden, epochs, batch, patience, time, device, folder, seed, separator, header, mark, mpi,
        };
        root.SetAction(parsed => Processes(parsed.GetValue(mpi), exchange => new TableTraining
        {
            Csv = parsed.GetValue(csv),
            Reading = Reading(parsed),
            Label = parsed.GetValue(label),
            Normal = parsed.GetValue(normal)!,
            Ignore = parsed.GetValue(ignore)!,
            Model = parsed.GetValue(model)!,
            Hidden = parsed.GetValue(hidden),
            Epochs = parsed.GetValue(epochs),
            Batch = parsed.GetValue(batch),
            Patience = parsed.GetValue(patience),
            Time = TimeSpan.FromMinutes(parsed.GetValue(time) ?? 3),
            Device = parsed.GetValue(device)!,
            Output = parsed.GetValue(folder)!,
            Seed = parsed.GetValue(seed),
            Exchange = exchange,
        }.Run()));

        Option<string> load = new("--load") { Description = "A model that this program trained.",
            DefaultValueFactory = _ => Path.Combine("out", "table", TableTraining.ModelFile) };
        Option<string> data = new("--data",
            "--csv") { Description = "The rows to score, a CSV file with the columns of the training table, in any order.",
            Required = true };
        Option<string> scores = new("--out") { Description = "The file of the scores.", DefaultValueFactory = _ => "scores.csv" };
        Command score = new("score", "Scores the rows of a table with a model that was trained before.") { load, data, scores, label,
            normal, device, separator, header, mark };
        score.SetAction(parsed => new TableScoring
        {
            Load = parsed.GetValue(load)!,
            Csv = parsed.GetValue(data)!,
            Reading = Reading(parsed),
            Label = parsed.GetValue(label),
            Normal = parsed.GetValue(normal)!,
            Device = parsed.GetValue(device)!,
            Output = parsed.GetValue(scores)!,
        }.Run());
        root.Add(score);
        // 'train' may be said, as in the other sample with commands
        return SampleProgram.Run(root, args is ["train", .. var rest] ? rest : args);
    }

    // alone, or with the processes that mpirun has started, of which the first one alone speaks
    private static int Processes(bool mpi, Func<IGradientExchange?, int> train)
    {
        if (!mpi) return train(null);
        var code = 0;
        MpiExchange.Run(exchange =>
        {
            if (exchange.Rank > 0) Console.SetOut(TextWriter.Null);
            code = train(exchange);
        });
        return code;
    }
}
