using System.Globalization;
using System.Text;

namespace RealNvp.Reproduce;

/// <summary>docs/results.md, made from the results of the runs; a test fails if it is not what they say.</summary>
internal static class ResultsPage
{
    private const string Head = """
        # Published numbers, made again

        Held-out nats a row, higher is better, with the standard error of the mean over the test rows; bits per dimension, lower is better, for images. Each line is a recipe of
        [`benchmarks/RealNvp.Reproduce`](../benchmarks/RealNvp.Reproduce/README.md), whose log, options, seed, model and result are in
        `runs` there. The program writes this page from them, and a test fails if they differ:

        ```sh
        dotnet run -c Release --project benchmarks/RealNvp.Reproduce -- list
        dotnet run -c Release --project benchmarks/RealNvp.Reproduce -- run bsds300-maf --data FOLDER --minutes 60   # goes on where the call before stopped
        dotnet run -c Release --project benchmarks/RealNvp.Reproduce -- table
        ```

        The epoch is chosen by validation rows; nothing is chosen by test rows. Minutes are those of the processor, all threads together, training and validation. A training "stopped early" if validation
        did not improve any more, and "took its steps" if its recipe has a number of them; "time over" and "unfinished" say that more time would have gone on improving it.

        Tables stand beside nflows and zuko, which `benchmarks/peers/tables.py` trains on the same rows in the same way: batches of 256, Adam at 1e-3, averaged weights with decay 0.999, validation after each
        epoch, the best one kept, an end after 20 epochs without gain. Ours are the presets for tables, theirs have as many layers and hidden units.

        """;

    public static string Of(string runs)
    {
        var results = RunFolder.Results(runs).ToDictionary(r => r.Recipe);
        var peers = PeerLine.All(runs);
        var page = new StringBuilder(Head.ReplaceLineEndings("\n"));
        foreach (var group in Recipes.All.Where(r => r.Grid is null).GroupBy(r => r.Data))
        {
            var done = group.Where(r => results.ContainsKey(r.Name)).ToList();
            if (done.Count == 0) continue;
            page.Append(CultureInfo.InvariantCulture, $"\n## {group.Key.Name}\n\n{group.Key.Protocol}\n");
            foreach (var budget in done.GroupBy(r => r.Budget))
                if (budget.Key is null) Published(page, group.Key, [.. budget], results);
                else Compared(page, budget.Key, [.. budget], results, [.. peers.Where(p => p.Data == group.Key.Name)]);
            foreach (var recipe in done.Where(r => r.Remark is not null))
                page.Append(CultureInfo.InvariantCulture, $"\n{recipe.Title}: {recipe.Remark}\n");
            if (group.Key.Picture is { } picture)
                Picture(page, picture, $"Samples of each model, a row each, below {group.Key.Name} of the test");
        }
        foreach (var grid in Recipes.All.Where(r => r.Grid is not null && results.ContainsKey(r.Name)).GroupBy(r => r.Grid!))
            Cells(page, grid.Key, [.. grid], results);
        var missing = Recipes.All.Where(r => !results.ContainsKey(r.Name)).ToList();
        if (missing.Count == 0) return page.ToString();
        page.Append("\n## Not run\n\nRecipes without a committed run:\n\n");
        foreach (var grid in missing.Where(r => r.Grid is not null).GroupBy(r => r.Grid!))
            page.Append(CultureInfo.InvariantCulture, $"- {grid.Key.Title}: {grid.Count()} cells.\n");
        foreach (var r in missing.Where(r => r.Grid is null))
        {
            var unit = r.Data.InBits ? " bits/dim" : "";
            var paper = r.Paper is { } p ? FormattableString.Invariant($", {p:F2}{unit} in the paper") : "";
            page.Append(CultureInfo.InvariantCulture,
                $"- `{r.Name}`: {r.Title} on {r.Data.Name}{paper}.{(r.Remark is { } text ? " " + text : "")}\n");
        }
        return page.ToString();
    }

    // the papers' rows are others, so a figure stands beside the Gaussian's of the same rows
    private static void Published(StringBuilder page, DataSet data, List<Recipe> recipes, Dictionary<string, RunResult> results)
    {
        var (gaussians, papers) = (data.PaperGaussian is not null, recipes.Any(r => r.Paper is not null));
        page.Append('\n');
        Row(page, ["model", data.InBits ? "bits/dim" : "nats", .. If(gaussians, "Gaussian, same rows", "above it", "paper",
            "paper above its Gaussian"), .. If(papers && !gaussians, "paper"),
            "weights", "steps", "minutes", "training"]);
        Rule(page, 1, 4 + (gaussians ? 4 : papers ? 1 : 0), 1);
        foreach (var recipe in recipes)
        {
            var r = results[recipe.Name];
            Row(page, [recipe.Title, Score(data, r), .. If(gaussians, N(r.Gaussian), N(r.Test - r.Gaussian), N(recipe.Paper),
                N(recipe.Paper - data.PaperGaussian)),
                .. If(papers && !gaussians, N(recipe.Paper)), W(r.Weights), W(r.Steps), N(r.Minutes), Ended(r)]);
        }
        var sources = recipes.Where(r => r.Source is not null).Select(r => $"{r.Title}: {r.Source}.").ToList();
        if (gaussians) sources.Add(FormattableString.Invariant($"The Gaussian in the papers: {data.PaperGaussian:F2}."));
        if (gaussians && recipes.Select(r => results[r.Name]).FirstOrDefault(r => r.GaussianTrain is not null) is { } shift)
            sources.Add(FormattableString.Invariant($"Ours, fitted to rows to train on, has {shift.GaussianTrain:F2} on them, ") +
                FormattableString.Invariant($"{shift.GaussianValidation:F2} on those that validate and {shift.Gaussian:F2} on the test: ") +
                "the images of the three parts differ that much.");
        if (sources.Count > 0) page.Append(CultureInfo.InvariantCulture, $"\n{string.Join(' ', sources)}\n");
    }

    private static void Compared(StringBuilder page, string budget, List<Recipe> recipes, Dictionary<string, RunResult> results,
        List<PeerLine> peers)
    {
        var first = results[recipes[0].Name];
        var what = budget == "updates" ? FormattableString.Invariant($"{recipes.Max(r => results[r.Name].Steps):N0} updates")
            : FormattableString.Invariant($"{recipes[0].Minutes:0.#} {(recipes[0].Minutes == 1 ? "minute" : "minutes")} of one thread");
        page.Append(CultureInfo.InvariantCulture,
            $"\nAt most {what} for each, and fewer if validation stopped it. A Gaussian has {first.Gaussian:F2}.\n\n");
        string[] names = [.. peers.Select(p => p.Peer).Distinct().Order(StringComparer.Ordinal)];
        Row(page, ["model", "ours", "weights", "updates", "minutes",
            .. names.SelectMany(n => new[] { n, "weights", "updates", "minutes" })]);
        Rule(page, 1, 4 + (4 * names.Length), 0);
        foreach (var recipe in recipes)
        {
            var r = results[recipe.Name];
            Row(page, [recipe.Title, Score(recipe.Data, r), W(r.Weights), W(r.Steps), N(r.Minutes), .. names.SelectMany(n =>
                peers.Find(p => p.Peer == n && p.Model == (recipe.Beside ?? recipe.Title)) is { } line && line.Budgets[budget] is var s
                    ? new[] { N(s.Test), W(line.Weights), W(s.Steps), N(s.Minutes) } : ["", "", "", ""])]);
        }
    }

    private static void Cells(StringBuilder page, Grid grid, List<Recipe> recipes, Dictionary<string, RunResult> results)
    {
        string[] data = [.. recipes.Select(r => r.Data.Name).Distinct()];
        page.Append(CultureInfo.InvariantCulture, $"\n## {grid.Title}\n\n{grid.Protocol}\n\n");
        Row(page, ["model", "weights", .. data]);
        Rule(page, 1, 1 + data.Length, 0);
        foreach (var row in recipes.GroupBy(r => r.Title))
            Row(page, [row.Key, W(results[row.First().Name].Weights), .. data.Select(d =>
                row.FirstOrDefault(r => r.Data.Name == d) is { } cell ? N(results[cell.Name].Test) : "")]);
        Picture(page, GridPictures.TwoDPicture, "The density of the data, and that of each model, in the colours of the data's");
    }

    private static void Picture(StringBuilder page, string file, string text) =>
        page.Append(CultureInfo.InvariantCulture, $"\n![{text}](images/{file})\n");

    private static string Score(DataSet data, RunResult r)
    {
        var scale = data.InBits ? r.Dimensions * Math.Log(2) : 1;
        return string.Create(CultureInfo.InvariantCulture, $"{(data.InBits ? -r.Test : r.Test) / scale:F2} ± {r.StandardError / scale:F2}");
    }

    private static string Ended(RunResult r) => r.Ended switch
    {
        RunEnd.StepsDone => "took its steps",
        RunEnd.StoppedEarly => "stopped early",
        RunEnd.TimeOver => "time over",
        _ => "unfinished",
    };

    private static string[] If(bool there, params string[] cells) => there ? cells : [];

    private static string N(double? value) => value?.ToString("F2", CultureInfo.InvariantCulture) ?? "";

    private static string W(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static void Row(StringBuilder page, IEnumerable<string> cells) => page.Append("| ").AppendJoin(" | ", cells).Append(" |\n");

    private static void Rule(StringBuilder page, int left, int right, int last) =>
        page.Append('|').Insert(page.Length, "---|", left).Insert(page.Length, "---:|", right).Insert(page.Length, "---|", last)
            .Append('\n');
}
