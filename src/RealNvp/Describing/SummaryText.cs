using System.Globalization;

namespace RealNvp.Describing;

/// <summary>A <see cref="FlowSummary"/> as text.</summary>
internal static class SummaryText
{
    public static readonly string[] Columns = ["layer", "output", "parameters", "log-det", "share"];

    public static string Write(FlowSummary summary)
    {
        var rows = summary.Layers.Select(l => Cells(l, indent: true)).Prepend(Columns).ToArray();
        // a table of shapes alone, if nothing went through the layers
        var columns = Enumerable.Range(0, summary.RowCount > 0 ? Columns.Length : 3).ToArray();
        var widths = columns.Select(c => rows.Max(r => r[c].Length)).ToArray();
        var table = rows.Select(r => string.Join("  ", columns.Select(c => c < 2 ? r[c].PadRight(widths[c]) : r[c].PadLeft(widths[c])))
            .TrimEnd());
        return string.Join('\n', [Title(summary), "", .. table, "", .. Notes(summary)]);
    }

    public static string Title(FlowSummary s)
    {
        var context = s.ContextSize > 0 ? string.Create(CultureInfo.InvariantCulture, $", context of {s.ContextSize:N0}") : "";
        var trained = s.TrainableParameters < s.Parameters
            ? string.Create(CultureInfo.InvariantCulture, $" ({s.TrainableParameters:N0} trained)") : "";
        return $"{s.Name}: {s.InputShape} -> {s.LatentShape}{context}, {ModuleText.Number(s.Parameters, "parameter")}{trained}, " +
            $"{s.Dtype.ToString().ToLowerInvariant()} on {s.Device}";
    }

    public static IEnumerable<string> Notes(FlowSummary s)
    {
        yield return $"Base density: {s.BaseDensity}.";
        yield return $"Likelihood: {s.Likelihood}.";
        if (s.MeanLogProb is { } mean)
            yield return string.Create(CultureInfo.InvariantCulture,
                $"Mean log p(x) of {s.RowCount:N0} {s.Rows}: {mean:G5} " +
                    $"nats{(s.Likelihood.Kind == LikelihoodKind.Exact ? "" : $", {s.Likelihood}")}. Log-dets are means " +
                $"over these, in nats.");
        else yield return s.Rows;
        yield return s.Directions;
        yield return s.MemoryAt(64).ToString();
    }

    public static string[] Cells(LayerSummary l, bool indent)
    {
        var name = l.Path[(l.Path.LastIndexOf('.') + 1)..];
        var text = $"{name}: {l.Type}{(l.Description.Length > 0 ? $", {l.Description}" : "")}";
        return
        [
            indent ? new string(' ', 2 * l.Depth) + text : text,
            l.OutputShape?.ToString() ?? "any",
            l.Parameters.ToString("N0", CultureInfo.InvariantCulture),
            // no minus before a 0
            l.MeanLogDet is { } mean ? (Math.Round(mean, 3) + 0.0).ToString("0.###", CultureInfo.InvariantCulture) : "",
            l.LogDetShare?.ToString("0 %", CultureInfo.InvariantCulture) ?? "",
        ];
    }

    /// <summary>A number of bytes with three digits and its unit.</summary>
    public static string Bytes(long bytes)
    {
        string[] units = ["bytes", "KB", "MB", "GB", "TB", "PB", "EB"];
        var (value, unit) = ((double)bytes, 0);
        while (value >= 999.5 && unit < units.Length - 1) (value, unit) = (value / 1000, unit + 1);
        return $"{value.ToString(value >= 100 || unit == 0 ? "0" : value >= 10 ? "0.0" : "0.00", CultureInfo.InvariantCulture)} " +
            $"{units[unit]}";
    }
}
