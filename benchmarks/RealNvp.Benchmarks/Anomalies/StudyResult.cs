using System.Globalization;

namespace RealNvp.Benchmarks.Anomalies;

/// <summary>What a method did on a split of a table: a line of the file of results.</summary>
internal sealed record StudyResult
{
    public required string Table { get; init; }

    public required int Rows { get; init; }

    public required int Columns { get; init; }

    public required int Anomalies { get; init; }

    public required int Seed { get; init; }

    public required string Method { get; init; }

    /// <summary>The area under the ROC curve.</summary>
    public required double Area { get; init; }

    /// <summary>The time of the fit, on a machine that did other things too.</summary>
    public required double Seconds { get; init; }

    /// <summary>Detector: the rows that p-values are counted by; null for others.</summary>
    public int? CalibrationRows { get; init; }

    /// <summary>Detector: the ordinary rows of the test.</summary>
    public int? OrdinaryRows { get; init; }

    /// <summary>Detector: how many of these are called anomalies at α = 1 %; null if the calibration cannot tell.</summary>
    public int? Alarms { get; init; }

    /// <summary>Detector: the mean share of false alarms over splits of the
    /// rows that were not trained on; null if it cannot tell.</summary>
    public double? SplitAlarms { get; init; }

    /// <summary>The line, without its end.</summary>
    public string Line => string.Join('\t', new object?[] { Table, Rows, Columns, Anomalies, Seed, Method, Area.ToString("F5",
        CultureInfo.InvariantCulture), Seconds.ToString("F1", CultureInfo.InvariantCulture), CalibrationRows, OrdinaryRows, Alarms,
        SplitAlarms?.ToString("F6", CultureInfo.InvariantCulture) }.Select(v => Convert.ToString(v, CultureInfo.InvariantCulture)));

    /// <summary>The results of a file; none if there is no such file.</summary>
    public static IReadOnlyList<StudyResult> Read(string path) =>
        File.Exists(path) ? [.. File.ReadLines(path).Where(l => l.Length > 0).Select(Of)] : [];

    private static StudyResult Of(string line)
    {
        var parts = line.Split('\t');
        int Whole(int i) => int.Parse(parts[i], CultureInfo.InvariantCulture);
        double Number(int i) => double.Parse(parts[i], CultureInfo.InvariantCulture);
        int? MayBe(int i) => parts[i].Length == 0 ? null : Whole(i);
        return new()
        {
            Table = parts[0], Rows = Whole(1), Columns = Whole(2), Anomalies = Whole(3), Seed = Whole(4), Method = parts[5],
            Area = Number(6), Seconds = Number(7), CalibrationRows = MayBe(8), OrdinaryRows = MayBe(9), Alarms = MayBe(10),
            SplitAlarms = parts[11].Length == 0 ? null : Number(11),
        };
    }
}
