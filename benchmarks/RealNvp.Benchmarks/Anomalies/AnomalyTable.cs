using RealNvp.Samples.Common;

namespace RealNvp.Benchmarks.Anomalies;

/// <summary>A table with known anomalies.</summary>
/// <param name="Name">What it is called.</param>
/// <param name="Rows">The rows.</param>
/// <param name="IsAnomaly">One a row.</param>
internal sealed record AnomalyTable(string Name, double[][] Rows, bool[] IsAnomaly)
{
    /// <summary>The tables of a folder that are <c>.npz</c> with rows and labels.</summary>
    public static IEnumerable<AnomalyTable> In(string folder)
    {
        foreach (var file in Directory.EnumerateFiles(folder, "*.npz").Order(StringComparer.Ordinal))
        {
            var (rows, labels) = NpyTable.ReadLabelled(file);
            yield return new(Path.GetFileNameWithoutExtension(file), rows, labels);
        }
    }

    /// <summary>The tables that ship with the samples.</summary>
    public static IEnumerable<AnomalyTable> Shipped()
    {
        foreach (var (name, path, label) in new[]
        {
            // (vowels ships too, and is that of ADBench; this one has all anomalies, and ADBench's some of them)
            ("wdbc-569", SampleData.BreastCancer, "malignant"),
        })
        {
            using var table = Csv.Read(path);
            using var features = table.Without(label);
            using var labels = table.Column(label);
            var width = (int)features.Values.shape[1];
            var numbers = features.Values.data<double>().ToArray();
            yield return new(name, [.. numbers.Chunk(width)], [.. labels.data<double>().ToArray().Select(l => l == 1)]);
        }
    }

    /// <summary>Half of the ordinary rows, by a seed, and the rest with all anomalies.</summary>
    public (double[][] Train, double[][] Test, bool[] TestIsAnomaly) Split(int seed)
    {
        var ordinary = Enumerable.Range(0, Rows.Length).Where(r => !IsAnomaly[r]).ToArray();
        new Random(seed).Shuffle(ordinary);
        var train = ordinary[..(ordinary.Length / 2)];
        int[] test = [.. ordinary[(ordinary.Length / 2)..], .. Enumerable.Range(0, Rows.Length).Where(r => IsAnomaly[r])];
        return ([.. train.Select(r => Rows[r])], [.. test.Select(r => Rows[r])], [.. test.Select(r => IsAnomaly[r])]);
    }
}
