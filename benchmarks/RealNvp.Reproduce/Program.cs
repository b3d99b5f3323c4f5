using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using TorchSharp;

namespace RealNvp.Reproduce;

/// <summary>The command line.</summary>
internal static class Program
{
    public static int Main(string[] args)
    {
        var name = new Argument<string>("recipe") {
            Description = "The name of a recipe, or the beginning of some, as `list` prints them." };
        var data = new Option<string?>("--data") { Description = "The folder of the data sets, each in a folder of its name." };
        var runs = new Option<string>("--runs") { Description = "The folder of logs and results.",
            DefaultValueFactory = _ => Path.Combine("benchmarks", "RealNvp.Reproduce", "runs") };
        var checkpoints = new Option<string>("--checkpoints") { Description = "The folder of unfinished trainings.",
            DefaultValueFactory = _ => Path.Combine("out", "reproduce") };
        var minutes = new Option<double>("--minutes") { Description = "The most minutes of the processor for this call; the next goes on.",
            DefaultValueFactory = _ => double.MaxValue };
        var threads = new Option<int>("--threads") { Description = "Threads of torch.",
            DefaultValueFactory = _ => Environment.ProcessorCount };
        var device = new Option<string>("--device") { Description = "cpu, or a device such as cuda.", DefaultValueFactory = _ => "cpu" };
        var pictures = new Option<string>("--pictures") { Description = "The folder of the page's pictures.",
            DefaultValueFactory = _ => Path.Combine("docs", "images") };
        var page = new Option<string>("--page") { Description = "The page to write.", DefaultValueFactory = _ => Path.Combine("docs",
            "results.md") };
        var rows = new Option<string>("--out") { Description = "The folder of the rows.", Required = true };

        var list = new Command("list", "Prints the recipes.");
        list.SetAction(_ =>
        {
            foreach (var r in Recipes.All)
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{r.Name,-40} {r.Title,-14} {r.Data.Name,-10} {r.Paper}"));
        });
        var run = new Command("run", "Trains recipes, or goes on with them, and writes their logs and results.") { name, data, runs,
            checkpoints, minutes, threads, device };
        run.SetAction(parsed => Refusing(() =>
        {
            torch.set_num_threads(parsed.GetValue(threads));
            using var stop = new CancellationTokenSource();
            void End(PosixSignalContext signal)
            {
                signal.Cancel = true;
                stop.Cancel();
            }
            using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
            using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
            foreach (var recipe in Chosen(parsed.GetRequiredValue(name)))
            {
                var r = Run.Start(recipe, parsed.GetValue(data), parsed.GetRequiredValue(runs), parsed.GetRequiredValue(checkpoints),
                    new(parsed.GetValue(minutes), Stop: stop.Token) { Device = parsed.GetRequiredValue(device) }, Console.Out);
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"{recipe.Name}: {r.Test:F3} ± {r.StandardError:F3} nats, Gaussian {r.Gaussian:F3}, {r.Minutes:F1} minutes, " +
                        $"{r.Steps} steps, {r.Ended}"));
                if (stop.IsCancellationRequested) break;
            }
        }));
        var table = new Command("table", "Writes the page of results from the runs.") { runs, page };
        table.SetAction(parsed => Refusing(() => File.WriteAllText(parsed.GetRequiredValue(page),
            ResultsPage.Of(parsed.GetRequiredValue(runs)))));
        var draw = new Command("pictures", "Draws the page's pictures from the models that runs left.") { checkpoints, pictures };
        draw.SetAction(parsed => Refusing(() =>
        {
            foreach (var line in GridPictures.Draw(parsed.GetRequiredValue(checkpoints), parsed.GetRequiredValue(pictures)))
                Console.WriteLine(line);
        }));
        var export = new Command("export", "Writes the rows of a recipe's data set as .npy, for other libraries.") { name, data, rows };
        export.SetAction(parsed => Refusing(() =>
        {
            using var splits = Chosen(parsed.GetRequiredValue(name))[0].Data.Load(parsed.GetValue(data));
            Directory.CreateDirectory(parsed.GetRequiredValue(rows));
            foreach (var (part, x) in new[] { ("train", splits.Train), ("validation", splits.Validation), ("test", splits.Test) })
                NpyFile.Write(Path.Combine(parsed.GetRequiredValue(rows), part + ".npy"), x);
        }));
        return new RootCommand("Makes published numbers again: docs/results.md.") { list, run, table, draw, export }.Parse(args).Invoke();
    }

    // that of the name, or those whose names begin with it
    private static List<Recipe> Chosen(string name)
    {
        var exact = Recipes.All.Where(r => r.Name == name).ToList();
        var chosen = exact.Count > 0 ? exact : [.. Recipes.All.Where(r => r.Name.StartsWith(name, StringComparison.Ordinal))];
        return chosen.Count > 0 ? chosen : throw new ArgumentException($"There is no recipe {name}: `list` prints them.");
    }

    private static int Refusing(Action action)
    {
        try
        {
            action();
            return 0;
        }
        catch (Exception e) when (e is ArgumentException or IOException or InvalidDataException)
        {
            Console.Error.WriteLine($"error: {e.Message}");
            return 1;
        }
    }
}
