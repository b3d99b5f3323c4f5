using System.Globalization;
using RealNvp.Samples.Common;

namespace RealNvp.Samples.Table;

/// <summary>Reads from a column which rows are normal and which are anomalies.
/// If the column leaves that open, it is asked, never guessed.</summary>
internal static class Labels
{
    private const int Told = 8;

    private static readonly HashSet<string> normalWords = new(["normal", "benign", "inlier", "ok", "okay", "good", "nominal", "healthy",
        "legitimate", "legit", "genuine", "valid", "pass", "passed", "no", "n", "false", "negative", "neg"],
        StringComparer.OrdinalIgnoreCase);
    private static readonly HashSet<string> anomalyWords = new(["anomaly", "anomalous", "abnormal", "malignant", "outlier", "bad", "fraud",
        "fraudulent", "attack", "fault", "faulty", "defect", "defective", "fail", "failed", "sick", "invalid", "yes", "y", "true",
        "positive", "pos"], StringComparer.OrdinalIgnoreCase);

    /// <summary>One value a row: true for an anomaly. Both kinds are there.</summary>
    /// <param name="file">The table.</param>
    /// <param name="label">The column.</param>
    /// <param name="normal">The normal classes; empty finds out.</param>
    /// <param name="say">Hears what was found out.</param>
    public static bool[] Read(CsvFile file, string label, IReadOnlyList<string> normal, Action<string> say)
    {
        var column = file.Column(label);
        var missing = Enumerable.Range(0, column.Count).Where(column.IsMissing).ToArray();
        if (missing.Length > 0)
            throw new DataFormatException(
                $"{file.Path}: the label '{label}' is missing in {missing.Length} row(s), such as line " +
                $"{string.Join(", ", missing.Take(Told).Select(r => file.Lines[r]))}. Remove these rows, or fill the label in.");
        var texts = Enumerable.Range(0, column.Count).Select(column.Text).ToArray();
        var classes = texts.CountBy(t => t).OrderByDescending(c => c.Value).ToDictionary(c => c.Key, c => c.Value);
        if (classes.Count == 1)
            throw new DataFormatException(
                $"{file.Path}: the label '{label}' is {texts[0]} in all rows, so it tells nothing. Leave --label out, and use --ignore " +
                $"{label}.");
        var chosen = normal.Count > 0 ? Given(file, label, normal, classes) : Guess(file, label, classes);
        var anomalies = Array.ConvertAll(texts, t => !chosen.Contains(t));
        var count = anomalies.Count(a => a);
        if (count == 0)
            throw new ArgumentException(
                $"--normal names all classes of '{label}', so there is no anomaly. Name the normal ones alone: {Show(classes)}.");
        say($"{label}: {string.Join(", ", chosen)} is normal ({texts.Length - count} rows), {Others(classes, chosen)} is not ({count} rows)"
            + (normal.Count == 0 && 2 * count > texts.Length
                ? ". Most rows are anomalies: if it is the other way round, say so with --normal" : ""));
        return anomalies;
    }

    private static HashSet<string> Given(CsvFile file, string label, IReadOnlyList<string> normal, Dictionary<string, int> classes)
    {
        HashSet<string> chosen = [];
        foreach (var name in normal)
        {
            // 1 and 1.0 are one class
            var text = double.TryParse(name, NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
                ? number.ToString("R", CultureInfo.InvariantCulture) : name.Trim();
            chosen.Add(classes.ContainsKey(text) ? text
                : throw new ArgumentException(
                $"--normal is '{name}', but the column '{label}' of {file.Path} has no such class. It has {Show(classes)}."));
        }
        return chosen;
    }

    private static HashSet<string> Guess(CsvFile file, string label, Dictionary<string, int> classes)
    {
        if (classes.Count == 2)
        {
            var (a, b) = (classes.Keys.First(), classes.Keys.Last());
            foreach (var (one, other) in new[] { (a, b), (b, a) })
            {
                // scikit-learn and most benchmarks of anomalies: 0 or 1 is normal, beside 1 or -1
                if ((one, other) is ("0", "1") or ("1", "-1")) return [one];
                if ((normalWords.Contains(one) && !normalWords.Contains(other))
                        || (anomalyWords.Contains(other) && !anomalyWords.Contains(one)))
                    return [one];
            }
        }
        var many = classes.Count > Math.Max(20, file.Lines.Count / 20);
        throw new DataFormatException(many
            ? $"{file.Path}: the column '{label}' has {classes.Count} different values, so it holds no classes. To leave it out of the " +
                $"model, use --ignore {label}."
            : $"{file.Path}: the column '{label}' has {Show(classes)}. Say which rows are normal, such as --normal " +
                $"{classes.Keys.First()}; it may be given several times. To leave the column out, use --ignore {label}.");
    }

    private static string Others(Dictionary<string, int> classes, HashSet<string> chosen)
    {
        var others = classes.Keys.Where(c => !chosen.Contains(c)).ToArray();
        return others.Length <= Told ? string.Join(", ", others) : $"any of {others.Length} other classes";
    }

    private static string Show(Dictionary<string, int> classes) =>
        string.Join(", ", classes.Take(Told).Select(c => $"{c.Key} ({c.Value} rows)")) + (classes.Count > Told
            ? $" and {classes.Count - Told} more" : "");
}
