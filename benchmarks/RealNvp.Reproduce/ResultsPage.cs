using System.Globalization;
using System.Text;
using System.Text.Json;

namespace RealNvp.Reproduce;

/// <summary>docs/results.md, made from the results of the runs; a test fails if it is not what they say.</summary>
internal static class ResultsPage
{
    public static string Of(string runs)
    {
        var results = Directory.EnumerateFiles(runs, "result.json", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
            .Select(RunResult.Load).ToDictionary(r => r.Recipe);
        var peers = Directory.EnumerateFiles(runs, "peers.jsonl", SearchOption.AllDirectories).SelectMany(File.ReadLines)
            .Select(l => JsonDocument.Parse(l).RootElement).ToList();
        var page = new StringBuilder();
        page.Append("""
            # Published numbers, made again

            Held-out nats a row, higher is better, with the standard error of the mean over the test rows. Each row is a recipe of `benchmarks/RealNvp.Reproduce`, whose log, options, seed
            and model are in `runs/` there, and this page is written from them:

            ```sh
            dotnet run -c Release --project benchmarks/RealNvp.Reproduce -- run bsds300-spline-coupling --data FOLDER --minutes 60   # goes on where the call before stopped
            dotnet run -c Release --project benchmarks/RealNvp.Reproduce -- table
            ```

            A time is that of two shared cores. "Stopped" says that the training ended by itself; otherwise its minutes were over, and more would help.

            """);
        foreach (var group in Recipes.All.GroupBy(r => r.Data))
        {
            var done = group.Where(r => results.ContainsKey(r.Name)).ToList();
            if (done.Count == 0) continue;
            page.Append(CultureInfo.InvariantCulture, $"\n## {group.Key.Name}\n\n{group.Key.Protocol}\n\n");
            if (group.Key.PaperGaussian is { } gaussian) Published(page, group.Key.Name, gaussian, done, results);
            else Compared(page, done, results, [.. peers.Where(p => p.GetProperty("data").GetString() == group.Key.Name)]);
        }
        return page.ToString();
    }

    // the papers' rows are others, so a figure stands beside the Gaussian's of the same rows
    private static void Published(StringBuilder page, string data, double gaussian, List<Recipe> recipes, Dictionary<string, RunResult> results)
    {
        page.Append("| model | ours | the Gaussian, same rows | ours less it | paper | paper less its Gaussian | weights | steps | minutes | |\n");
        page.Append("|---|---|---|---|---|---|---|---|---|---|\n");
        foreach (var recipe in recipes)
        {
            var r = results[recipe.Name];
            page.Append(CultureInfo.InvariantCulture, $"| {recipe.Title} | {r.Test:F2} ± {r.StandardError:F2} | {r.Gaussian:F2} | {r.Test - r.Gaussian:F2} | {recipe.Paper:F2} ");
            page.Append(CultureInfo.InvariantCulture, $"| {recipe.Paper - gaussian:F2} | {r.Weights:N0} | {r.Steps:N0} | {r.Minutes:F0} | {(r.Ended ? "stopped" : "")} |\n");
        }
        var sources = string.Join("; ", recipes.Where(r => r.Source is not null).Select(r => $"{r.Title}: {r.Source}"));
        page.Append(CultureInfo.InvariantCulture, $"\n{sources}. The papers' Gaussian on {data}: {gaussian:F2}.\n");
    }

    private static void Compared(StringBuilder page, List<Recipe> recipes, Dictionary<string, RunResult> results, List<JsonElement> peers)
    {
        page.Append("| model | ours | weights | minutes | nflows | zuko |\n|---|---|---|---|---|---|\n");
        foreach (var recipe in recipes)
        {
            var r = results[recipe.Name];
            page.Append(CultureInfo.InvariantCulture, $"| {recipe.Title} | {r.Test:F2} ± {r.StandardError:F2} | {r.Weights:N0} | {r.Minutes:F1} ");
            page.Append(CultureInfo.InvariantCulture, $"| {Peer(peers, "nflows", recipe)} | {Peer(peers, "zuko", recipe)} |\n");
        }
        page.Append(CultureInfo.InvariantCulture, $"\nA Gaussian with the mean and covariance of the training rows: {results[recipes[0].Name].Gaussian:F2}.\n");
    }

    private static string Peer(List<JsonElement> peers, string peer, Recipe recipe) =>
        peers.Find(p => p.GetProperty("peer").GetString() == peer && p.GetProperty("model").GetString() == recipe.Title) is { ValueKind: JsonValueKind.Object } found
            ? string.Create(CultureInfo.InvariantCulture, $"{found.GetProperty("test").GetDouble():F2}") : "";
}
