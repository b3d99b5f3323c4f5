using RealNvp.Samples.Common;

namespace RealNvp.Benchmarks.Anomalies;

/// <summary>A task that defaults are chosen by: ordinary rows to train on, others to test, and anomalies of several kinds.</summary>
/// <param name="Train">Ordinary rows.</param>
/// <param name="Ordinary">Other ordinary rows.</param>
/// <param name="Anomalies">By kind: those of <see cref="MadeAnomalies"/>, and the rows of a cluster that no ordinary row is of.</param>
internal sealed record ChoiceTask(double[][] Train, double[][] Ordinary, IReadOnlyDictionary<string, double[][]> Anomalies)
{
    private const int Clusters = 6, Ordinaries = 1_000, Odd = 300, Seen = 6_000;

    /// <summary>Makes a task of a table: a cluster is left out, the rest is ordinary.</summary>
    public static ChoiceTask Of(double[][] table, int trainRows, int seed)
    {
        var random = new Random(seed);
        var rows = table.ToArray();
        random.Shuffle(rows);
        rows = rows[..Math.Min(Seen, rows.Length)];
        var columns = Enumerable.Range(0, rows[0].Length).Where(c => rows.Any(r => r[c] != rows[0][c])).ToArray();
        rows = [.. rows.Select(r => columns.Select(c => r[c]).ToArray())];
        var cluster = ClusterOf(rows, random);
        // one that is no outlier by itself, and not most of the table
        var choices = Enumerable.Range(0, Clusters)
            .Where(k => cluster.Count(c => c == k) / (double)rows.Length is > 0.02 and < 0.4).ToArray();
        var left = choices[random.Next(choices.Length)];
        var ordinary = rows.Where((_, i) => cluster[i] != left).ToArray();
        var test = ordinary[..Ordinaries];
        var train = ordinary[Ordinaries..Math.Min(ordinary.Length, Ordinaries + trainRows)];
        var anomalies = MadeAnomalies.Kinds.ToDictionary(k => k, k => Made(ordinary, k, random));
        anomalies["cluster"] = [.. rows.Where((_, i) => cluster[i] == left).Take(Odd)];
        return new(train, test, anomalies);
    }

    /// <summary>The task of a table with known anomalies: half of the ordinary rows to train on.</summary>
    public static ChoiceTask Of(string path, int seed)
    {
        var (rows, labels) = NpyTable.ReadLabelled(path);
        var (train, test, isAnomaly) = new AnomalyTable("", rows, labels).Split(seed);
        var columns = Enumerable.Range(0, train[0].Length).Where(c => train.Any(r => r[c] != train[0][c])).ToArray();
        double[][] Of(IEnumerable<double[]> some) => [.. some.Select(r => columns.Select(c => r[c]).ToArray())];
        return new(Of(train), Of(test.Where((_, i) => !isAnomaly[i])),
            new Dictionary<string, double[][]> { ["known"] = Of(test.Where((_, i) => isAnomaly[i])) });
    }

    private static double[][] Made(double[][] rows, string kind, Random random)
    {
        var made = MadeAnomalies.Of("", rows, kind, random);
        return [.. made.Rows.Where((_, i) => made.IsAnomaly[i]).Take(Odd)];
    }

    // Lloyd's algorithm on standardized columns
    private static int[] ClusterOf(double[][] rows, Random random)
    {
        var width = rows[0].Length;
        var mean = Enumerable.Range(0, width).Select(c => rows.Average(r => r[c])).ToArray();
        var deviation = Enumerable.Range(0, width).Select(c => Math.Sqrt(rows.Average(r => Math.Pow(r[c] - mean[c], 2)))).ToArray();
        var z = rows.Select(r => r.Select((v, c) => (v - mean[c]) / deviation[c]).ToArray()).ToArray();
        var centres = Enumerable.Range(0, Clusters).Select(_ => z[random.Next(z.Length)].ToArray()).ToArray();
        var cluster = new int[z.Length];
        for (var round = 0; round < 20; round++)
        {
            for (var i = 0; i < z.Length; i++)
                cluster[i] = Enumerable.Range(0, Clusters).MinBy(k => Distance(z[i], centres[k]));
            for (var k = 0; k < Clusters; k++)
            {
                var own = z.Where((_, i) => cluster[i] == k).ToArray();
                if (own.Length > 0) centres[k] = [.. Enumerable.Range(0, width).Select(c => own.Average(r => r[c]))];
            }
        }
        return cluster;
    }

    private static double Distance(double[] a, double[] b)
    {
        var sum = 0.0;
        for (var c = 0; c < a.Length; c++) sum += (a[c] - b[c]) * (a[c] - b[c]);
        return sum;
    }
}
