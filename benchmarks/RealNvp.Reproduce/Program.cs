using System.CommandLine;
using System.Globalization;
using TorchSharp;

namespace RealNvp.Reproduce;

/// <summary>The command line.</summary>
internal static class Program
{
    public static int Main(string[] args)
    {
        var name = new Argument<string>("recipe") { Description = "The name of a recipe, or the beginning of some, as `list` prints them." };
        var data = new Option<string>("--data") { Description = "The folder of the data sets, each in a folder of its name.", Required = true };
        var runs = new Option<string>("--runs") { Description = "The folder of logs and results.",
            DefaultValueFactory = _ => Path.Combine("benchmarks", "RealNvp.Reproduce", "runs") };
        var checkpoints = new Option<string>("--checkpoints") { Description = "The folder of unfinished trainings.",
            DefaultValueFactory = _ => Path.Combine("out", "reproduce") };
        var minutes = new Option<double>("--minutes") { Description = "The most minutes of this call; the next goes on.",
            DefaultValueFactory = _ => double.MaxValue };
        var threads = new Option<int>("--threads") { Description = "Threads of torch.", DefaultValueFactory = _ => Environment.ProcessorCount };
        var page = new Option<string>("--page") { Description = "The page to write.", DefaultValueFactory = _ => Path.Combine("docs", "results.md") };

        var list = new Command("list", "Prints the recipes.");
        list.SetAction(_ =>
        {
            foreach (var recipe in Recipes.All)
                Console.WriteLine($"{recipe.Name,-32} {recipe.Title,-12} {recipe.Data.Name,-10} {recipe.Paper?.ToString(CultureInfo.InvariantCulture)}");
        });
        var run = new Command("run", "Trains recipes, or goes on with them, and writes their logs and results.") { name, data, runs, checkpoints, minutes,
            threads };
        run.SetAction(parsed =>
        {
            torch.set_num_threads(parsed.GetValue(threads));
            var chosen = Recipes.All.Where(r => r.Name.StartsWith(parsed.GetRequiredValue(name), StringComparison.Ordinal)).ToList();
            if (chosen.Count == 0) return Fail($"There is no recipe {parsed.GetValue(name)}: `list` prints them.");
            Directory.CreateDirectory(parsed.GetRequiredValue(checkpoints));
            foreach (var recipe in chosen)
            {
                var result = Run.Start(recipe, parsed.GetRequiredValue(data), Path.Combine(parsed.GetRequiredValue(runs), recipe.Name),
                    Path.Combine(parsed.GetRequiredValue(checkpoints), recipe.Name + ".safetensors"), parsed.GetValue(minutes), Console.Out);
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{recipe.Name}: {result.Test:F3} ± {result.StandardError:F3} nats, " +
                    $"Gaussian {result.Gaussian:F3}, {result.Minutes:F1} minutes, {result.Steps} steps"));
            }
            return 0;
        });
        var table = new Command("table", "Writes the page of results from the runs.") { runs, page };
        table.SetAction(parsed => File.WriteAllText(parsed.GetRequiredValue(page), ResultsPage.Of(parsed.GetRequiredValue(runs))));
        var export = new Command("export", "Writes the rows of a data set as .npy, for other libraries.") { name, data, runs };
        export.SetAction(parsed =>
        {
            var recipe = Recipes.All.FirstOrDefault(r => r.Name.StartsWith(parsed.GetRequiredValue(name), StringComparison.Ordinal));
            if (recipe is null) return Fail($"There is no recipe {parsed.GetValue(name)}: `list` prints them.");
            using var splits = recipe.Data.Load(parsed.GetRequiredValue(data));
            Directory.CreateDirectory(parsed.GetRequiredValue(runs));
            foreach (var (part, rows) in new[] { ("train", splits.Train), ("validation", splits.Validation), ("test", splits.Test) })
                NpyFile.Write(Path.Combine(parsed.GetRequiredValue(runs), part + ".npy"), rows);
            return 0;
        });
        return new RootCommand("Makes published numbers again: docs/results.md.") { list, run, table, export }.Parse(args).Invoke();
    }

    private static int Fail(string text)
    {
        Console.Error.WriteLine($"error: {text}");
        return 1;
    }
}
