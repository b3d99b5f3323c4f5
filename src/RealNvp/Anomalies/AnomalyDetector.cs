using System.Globalization;
using RealNvp.Anomalies;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Finds unusual rows of a table: a density of ordinary rows, with p-values by rows that were kept aside,
/// and the columns that make a row odd.</summary>
/// <remarks>
/// <para><c>using var detector = AnomalyDetector.Fit(rows); bool[] odd = detector.Score(arrivals).Detect(falseAlarms: 0.01);</c></para>
/// <para>All methods but <see cref="Dispose"/> are safe for several threads. Scores depend on the units of columns only by a
/// constant, so that ranks do not depend on them.</para>
/// </remarks>
public sealed partial class AnomalyDetector : IDisposable
{
    private readonly bool ownsFlow;
    // −log p of the rows that were kept aside, the lowest first
    private readonly double[] calibration;
    // the columns of the density, and where each explanation tries values: a row of sorted numbers each
    private readonly int[] kept;
    private readonly double[][] grids;

    private AnomalyDetector(Flow flow, bool ownsFlow, IReadOnlyList<AnomalyColumn> columns, double[] calibration, double[][] grids)
    {
        (Flow, this.ownsFlow, Columns, this.calibration, this.grids) = (flow, ownsFlow, columns, calibration, grids);
        kept = [.. Enumerable.Range(0, columns.Count).Where(c => columns[c].Kind != ColumnKind.Constant)];
    }

    /// <summary>The density of ordinary rows, of the columns that are not constant. The detector's, unless
    /// it was given to <see cref="Calibrate(Flow, DataRows, IReadOnlyList{string})"/>.</summary>
    public Flow Flow { get; }

    /// <summary>The columns of a row, in order, with what was found in each.</summary>
    public IReadOnlyList<AnomalyColumn> Columns { get; }

    /// <summary>n, the number of ordinary rows that p-values are counted by.</summary>
    public int CalibrationRows => calibration.Length;

    /// <summary>1 / (n + 1): the smallest p-value, and the smallest share of false alarms that can be asked for.</summary>
    public double SmallestPValue => 1.0 / (calibration.Length + 1);

    /// <summary>What was found in columns and should be known, in sentences; empty if there is nothing to say.</summary>
    public IReadOnlyList<string> Notes => [.. Columns.Select(c => c.Note).OfType<string>()];

    /// <summary>Scores rows.</summary>
    /// <param name="rows">N rows of as many numbers as there are <see cref="Columns"/>, in an array of any form.</param>
    /// <param name="progress">Hears after each batch how many rows are done.</param>
    /// <param name="cancellationToken">Ends the call between two batches.</param>
    /// <returns>A score and a p-value for each row.</returns>
    /// <exception cref="ArgumentException">Another number of columns, NaN or infinity; the message names rows and columns.</exception>
    public AnomalyScores Score(DataRows rows, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        const string owner = $"{nameof(AnomalyDetector)}.{nameof(Score)}";
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var scores = ScoresOf(Checked(rows, owner), progress, cancellationToken);
        return new AnomalyScores(scores, Array.ConvertAll(scores, PValue), calibration.Length);
    }

    /// <summary>The lowest score that is called an anomaly if a share of false alarms is allowed.</summary>
    /// <param name="falseAlarms">α, in [<see cref="SmallestPValue"/>, 1).</param>
    /// <returns>A score in nats; rows that score as high or higher have a p-value of at most α.</returns>
    /// <exception cref="ArgumentOutOfRangeException">So small a share cannot be told by the rows of the calibration.</exception>
    public double Threshold(double falseAlarms)
    {
        CheckRate(falseAlarms, calibration.Length);
        // at most this many rows of the calibration may score as high
        var allowed = (int)Math.Floor((falseAlarms * (calibration.Length + 1)) + 1e-9) - 1;
        return allowed >= calibration.Length ? double.NegativeInfinity : Math.BitIncrement(calibration[calibration.Length - 1 - allowed]);
    }

    /// <summary>Frees the density, if it is the detector's.</summary>
    public void Dispose()
    {
        if (ownsFlow) Flow.Dispose();
    }

    /// <summary>A paragraph for a log.</summary>
    public override string ToString() => string.Join(Environment.NewLine, Notes.Prepend(string.Create(CultureInfo.InvariantCulture,
        $"{Flow.GetName()} of {kept.Length:N0} column{(kept.Length == 1 ? "" : "s")}; p-values by {calibration.Length:N0} rows, " +
        $"{SmallestPValue:G3} is the smallest")));

    internal static void CheckRate(double falseAlarms, int rows)
    {
        // (the smallest share itself may have been rounded on its way)
        if (falseAlarms >= (1 - 1e-9) / (rows + 1) && falseAlarms < 1) return;
        throw new ArgumentOutOfRangeException(nameof(falseAlarms), falseAlarms, falseAlarms is > 0 and < 1
            ? string.Create(CultureInfo.InvariantCulture,
                $"{rows:N0} rows of calibration cannot tell so few false alarms: {1.0 / (rows + 1):G3} is the smallest share. Ask for " +
                $"more, or calibrate with at least {Math.Ceiling(1 / falseAlarms) - 1:N0} rows.")
            : "Expected a share of false alarms in (0, 1), such as 0.01.");
    }

    private double PValue(double score)
    {
        // the first place that scores as high or higher
        var (low, high) = (0, calibration.Length);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (calibration[middle] < score) low = middle + 1;
            else high = middle;
        }
        return (1.0 + calibration.Length - low) / (calibration.Length + 1);
    }

    private double[] ScoresOf(Tensor rows, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        var logProb = Flow.LogProb(Flow.ToWeights(Density(rows)), progress: progress, cancellationToken: cancellationToken).FetchDoubles();
        var scores = Array.ConvertAll(logProb, p => -p);
        for (var column = 0; column < Columns.Count; column++)
            if (Columns[column].Constant is { } constant)
            {
                var values = rows.select(1, column).FetchDoubles();
                for (var i = 0; i < scores.Length; i++)
                    if (values[i] != constant) scores[i] = double.PositiveInfinity;
            }
        return scores;
    }

    // the columns of the density
    private Tensor Density(Tensor rows)
    {
        if (kept.Length == Columns.Count) return rows;
        using var places = tensor(Array.ConvertAll(kept, k => (long)k), device: rows.device);
        return rows.index_select(1, places);
    }

    private Tensor Checked(DataRows rows, string owner)
    {
        Flow.CheckAlive();
        var x = rows.ToTensor([Columns.Count], nameof(rows), owner).to(float64);
        MissingValues.Refuse(x, [.. Columns.Select(c => c.Name)], nameof(rows), owner);
        return x;
    }
}
