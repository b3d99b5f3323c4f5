using System.Globalization;
using System.Text;

namespace RealNvp.Benchmarks.Anomalies;

/// <summary>The tables of docs/anomalies.md, made of results.</summary>
internal static class StudyReport
{
    private const int Resamples = 10_000;

    public static string Of(IReadOnlyList<StudyResult> results)
    {
        string[] methods = [AnomalyStudy.Own, .. AnomalyStudy.Others.Select(o => o.Name)];
        // only splits that all methods have
        var tables = results.GroupBy(r => r.Table).OrderBy(g => g.Key, StringComparer.Ordinal)
            .Select(g => (First: g.First(),
                Splits: g.GroupBy(r => r.Seed).Where(s => methods.All(m => s.Any(r => r.Method == m))).ToArray()))
            .Where(t => t.Splits.Length > 0).ToArray();
        var areas = tables.Select(t => methods.Select(m => t.Splits.Average(s => s.Single(r => r.Method == m).Area)).ToArray()).ToArray();
        var text = new StringBuilder();
        Row(text, ["table", "rows", "columns", "anomalies", "splits", .. methods]);
        Row(text, ["---", .. Enumerable.Repeat("---:", methods.Length + 4)]);
        for (var t = 0; t < tables.Length; t++)
        {
            var (first, splits) = tables[t];
            Row(text, [first.Table, Whole(first.Rows), Whole(first.Columns), Whole(first.Anomalies), Whole(splits.Length),
                .. areas[t].Select(a => a == areas[t].Max() ? $"**{Area(a)}**" : Area(a))]);
        }
        void Summary(string name, Func<int, string> of) =>
            Row(text, [name, "", "", "", "", .. Enumerable.Range(0, methods.Length).Select(of)]);
        Summary("mean", m => Area(areas.Average(a => a[m])));
        Summary("mean below the best of the table", m => Area(areas.Average(a => a.Max() - a[m])));
        Summary("tables on which it is best", m => Whole(areas.Count(a => a[m] == a.Max())));
        Summary("tables on which it is worst", m => Whole(areas.Count(a => a[m] == a.Min())));
        Summary("detector minus this, mean", m => m == 0 ? "" : Signed(areas.Average(a => a[0] - a[m])));
        Summary("95 % interval, tables resampled", m => m == 0 ? "" : Interval([.. areas.Select(a => a[0] - a[m])]));
        text.Append('\n');
        Alarms(text, [.. tables.Select(t => t.Splits.Select(s => s.Single(r => r.Method == AnomalyStudy.Own)).ToArray())]);
        return text.ToString();
    }

    private static void Alarms(StringBuilder text, StudyResult[][] tables)
    {
        Row(text, ["table", "rows of calibration", "ordinary rows of the test", "false alarms by split", "central 99.9 %",
            "mean of 100 splits", "seconds of a fit"]);
        Row(text, ["---", "---:", "---:", "---:", "---:", "---:", "---:"]);
        var means = new List<double>();
        var (inside, all) = (0, 0);
        foreach (var splits in tables)
        {
            var first = splits[0];
            var (calibration, tested) = (first.CalibrationRows!.Value, first.OrdinaryRows!.Value);
            var seconds = splits.Max(s => s.Seconds).ToString("F0", CultureInfo.InvariantCulture);
            if (first.Alarms is null)
            {
                Row(text, [first.Table, Whole(calibration), Whole(tested), string.Create(CultureInfo.InvariantCulture,
                    $"{1.0 / (calibration + 1):P1} is the least that it can tell"), "", "", seconds]);
                continue;
            }
            var (low, high) = BetaBinomial.Central(calibration, tested, 0.01, 0.001);
            all += splits.Length;
            inside += splits.Count(s => s.Alarms >= low && s.Alarms <= high);
            means.AddRange(splits.Select(s => s.SplitAlarms!.Value));
            Row(text, [first.Table, Whole(calibration), Whole(tested), string.Join(", ", splits.Select(s => Whole(s.Alarms!.Value))),
                $"{Whole(low)} to {Whole(high)}", Percent(splits.Average(s => s.SplitAlarms!.Value)), seconds]);
        }
        if (means.Count > 0)
            Row(text, ["all", "", "", string.Create(CultureInfo.InvariantCulture, $"{inside} of {all} inside"), "",
                Percent(means.Average()), ""]);
    }

    private static string Interval(double[] differences)
    {
        var random = new Random(0);
        var means = Enumerable.Range(0, Resamples)
            .Select(_ => Enumerable.Range(0, differences.Length).Average(_ => differences[random.Next(differences.Length)]))
            .Order().ToArray();
        return $"{Signed(means[Resamples / 40])} to {Signed(means[Resamples - 1 - (Resamples / 40)])}";
    }

    private static void Row(StringBuilder text, IEnumerable<string> cells) => text.Append($"| {string.Join(" | ", cells)} |\n");

    private static string Whole(int value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Area(double value) => value.ToString("F4", CultureInfo.InvariantCulture);

    private static string Signed(double value) => value.ToString("+0.0000;−0.0000", CultureInfo.InvariantCulture);

    private static string Percent(double value) => string.Create(CultureInfo.InvariantCulture, $"{100 * value:F2} %");
}
