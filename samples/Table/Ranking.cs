namespace RealNvp.Samples.Table;

/// <summary>Prints the rows that fit a model least.</summary>
internal static class Ranking
{
    private const int Ranked = 10, Deviations = 3;

    /// <summary>The rows with the highest scores, each with what is odd about it.</summary>
    /// <param name="lines">The line of each row in its file.</param>
    /// <param name="scores">-log p(x).</param>
    /// <param name="isAnomaly">One a row, or empty.</param>
    /// <param name="deviations">The features of a row in standard deviations; null if they are not known.</param>
    public static void Report(IReadOnlyList<int> lines, double[] scores, bool[] isAnomaly,
        Func<int, IEnumerable<(string Name, double Z)>>? deviations)
    {
        Console.WriteLine(
            $"\nThe rows with the lowest " +
            $"log-density{(deviations is null ? "" : "; features in standard deviations from the mean of the training rows")}");
        foreach (var row in Enumerable.Range(0, scores.Length).OrderByDescending(r => scores[r]).Take(Ranked))
        {
            var odd = deviations?.Invoke(row).OrderByDescending(d => Math.Abs(d.Z)).Take(Deviations)
                .Select(d => $"{d.Name} {d.Z:+0.0;-0.0}") ?? [];
            var label = isAnomaly.Length == 0 ? "" : isAnomaly[row] ? "  anomaly" : "  normal ";
            Console.WriteLine($"  line {lines[row],5}  log p {-scores[row],10:F2}{label}  {string.Join("  ", odd)}".TrimEnd());
        }
    }
}
