using System.Globalization;
using System.Runtime.CompilerServices;
using RealNvp.Anomalies;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Finds unusual rows of a table: flows of ordinary rows, with p-values by rows that were kept aside,
/// and the columns that make a row odd.</summary>
/// <remarks>
/// <para><c>using var detector = AnomalyDetector.Fit(rows); bool[] odd = detector.Score(arrivals).Detect(falseAlarms: 0.01);</c></para>
/// <para>All methods but <see cref="Dispose"/> are safe for several threads.</para>
/// </remarks>
public sealed partial class AnomalyDetector : IDisposable
{
    // a share may have been rounded on its way here
    internal const double Rounded = 1 + 1e-9;

    // rows that are whitened and scored at a time
    private const long RowsAtATime = 1 << 14;

    private readonly DetectorMember[] members;
    private readonly bool ownsFlows;
    // the scores of the rows that were kept aside, the lowest first
    private readonly double[] calibration;
    // AnomalyScoreKind.Typicality: the mean of −log p of ordinary rows
    private readonly double typical;
    // the columns of the flows, and where each explanation tries values: a row of sorted numbers each
    private readonly int[] kept;
    private readonly double[][] grids;

    // the members that the options asked for
    private readonly int asked;

    private AnomalyDetector(DetectorMember[] members, bool ownsFlows, IReadOnlyList<AnomalyColumn> columns, AnomalyScoreKind kind,
        double typical, double[][] grids, Func<AnomalyDetector, double[]> calibration, int asked = 0)
    {
        this.asked = asked;
        (this.members, this.ownsFlows, Columns, Kind, this.typical, this.grids) = (members, ownsFlows, columns, kind, typical, grids);
        kept = [.. Enumerable.Range(0, columns.Count).Where(c => columns[c].Kind != ColumnKind.Constant)];
        this.calibration = [.. calibration(this).Order()];
    }

    /// <summary>What scores say.</summary>
    public AnomalyScoreKind Kind { get; }

    /// <summary>The number of flows whose scores are averaged.</summary>
    public int Members => members.Length;

    /// <summary>The number of weights of all members.</summary>
    internal long Weights => members.Sum(m => m.Flow.parameters().Sum(p => p.numel()));

    /// <summary>The columns of a row, in order, with what was found in each.</summary>
    public IReadOnlyList<AnomalyColumn> Columns { get; }

    /// <summary>n, the number of ordinary rows that p-values are counted by.</summary>
    public int CalibrationRows => calibration.Length;

    /// <summary>The scores of the rows that were kept aside, the lowest first.</summary>
    internal ReadOnlySpan<double> CalibrationScores => calibration;

    /// <summary>1 / (n + 1): the smallest p-value, and the smallest share of false alarms that can be asked for.</summary>
    public double SmallestPValue => 1.0 / (calibration.Length + 1);

    /// <summary>What was found in columns and should be known, and whether flows are missing because their time was over, in sentences;
    /// empty if there is nothing to say.</summary>
    public IReadOnlyList<string> Notes => [.. Columns.Select(c => c.Note).Append(members.Length >= asked ? null
        : string.Create(CultureInfo.InvariantCulture,
            $"{members.Length:N0} of {asked:N0} members {(members.Length == 1 ? "was" : "were")} trained: the time was over " +
            $"({nameof(AnomalyOptions)}.{nameof(AnomalyOptions.MaxDuration)}), or the training was cancelled. Give it more time, or " +
            $"fewer rows."))
        .OfType<string>()];

    /// <summary>How the training of each member went; empty for a detector that was loaded or made of flows.</summary>
    public IReadOnlyList<TrainingResult> Trainings { get; private init; } = [];

    /// <summary>Scores rows.</summary>
    /// <param name="rows">N rows of as many numbers as there are <see cref="Columns"/>, in an array of any form.</param>
    /// <param name="progress">Hears from time to time how many rows are done.</param>
    /// <param name="cancellationToken">Ends the call between two batches.</param>
    /// <returns>A score and a p-value for each row.</returns>
    /// <exception cref="ArgumentException">Another number of columns, NaN or infinity; the message names rows and columns.</exception>
    /// <exception cref="ObjectDisposedException">The detector, or the flow that it was made of, is disposed.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    [OverloadResolutionPriority(1)]
    public AnomalyScores Score(DataRows rows, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        const string owner = $"{nameof(AnomalyDetector)}.{nameof(Score)}";
        using var scope = NewDisposeScope();
        return Score(rows.ToTensor([Columns.Count], nameof(rows), owner), progress, cancellationToken);
    }

    /// <summary>Scores the rows of a tensor, which stays the caller's.</summary>
    /// <param name="rows">(N, D) in a floating-point dtype, on any device.</param>
    /// <param name="progress">Hears from time to time how many rows are done.</param>
    /// <param name="cancellationToken">Ends the call between two batches.</param>
    /// <returns>A score and a p-value for each row.</returns>
    /// <inheritdoc cref="Score(DataRows, IProgress{long}, CancellationToken)" path="/exception"/>
    public AnomalyScores Score(Tensor rows, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        const string owner = $"{nameof(AnomalyDetector)}.{nameof(Score)}";
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var scores = ScoresOf(Checked(rows, Columns, nameof(rows), owner), owner, progress, cancellationToken);
        return new AnomalyScores(scores, Array.ConvertAll(scores, PValue), calibration.Length);
    }

    /// <summary>The lowest score that is called an anomaly if a share of false alarms is allowed.</summary>
    /// <param name="falseAlarms">α, in [<see cref="SmallestPValue"/>, 1).</param>
    /// <returns>Rows that score as high or higher have a p-value of at most α. NaN if no score has one, because too many of the rows
    /// that were kept aside score infinity.</returns>
    /// <exception cref="ArgumentOutOfRangeException">So small a share cannot be told by the rows of the calibration.</exception>
    public double Threshold(double falseAlarms)
    {
        CheckRate(falseAlarms, calibration.Length);
        // at most this many rows of the calibration may score as high
        var allowed = (int)Math.Floor(falseAlarms * Rounded * (calibration.Length + 1)) - 1;
        if (allowed >= calibration.Length) return double.NegativeInfinity;
        var passed = calibration[calibration.Length - 1 - allowed];
        return double.IsPositiveInfinity(passed) ? double.NaN : Math.BitIncrement(passed);
    }

    /// <summary>Frees the flows, unless they were given to
    /// <see cref="Calibrate(Flow, DataRows, IReadOnlyList{string}, AnomalyScoreKind)"/>.</summary>
    public void Dispose()
    {
        if (!ownsFlows) return;
        foreach (var member in members) member.Flow.Dispose();
    }

    /// <summary>A paragraph for a log.</summary>
    public override string ToString() => string.Join(Environment.NewLine, Notes.Prepend(string.Create(CultureInfo.InvariantCulture,
        $"{members.Length:N0} × {members[0].Flow.GetName()} of {kept.Length:N0} column{(kept.Length == 1 ? "" : "s")}, score " +
        $"{Kind}; p-values by {calibration.Length:N0} rows, {SmallestPValue:G3} is the smallest")));

    internal static void CheckRate(double falseAlarms, int rows)
    {
        if (falseAlarms * Rounded >= 1.0 / (rows + 1) && falseAlarms < 1) return;
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

    // of checked rows with all columns
    private double[] ScoresOf(Tensor rows, string owner, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        using var held = new HeldFlows(members.Select(m => m.Flow));
        var scores = new double[rows.shape[0]];
        for (long start = 0; start < scores.Length; start += RowsAtATime)
        {
            using var scope = NewDisposeScope();
            var part = rows.narrow(0, start, Math.Min(RowsAtATime, scores.Length - start));
            Scored(Kept(part), owner, cancellationToken).Scores.CopyTo(scores, start);
            progress?.Report(start + part.shape[0]);
        }
        for (var column = 0; column < Columns.Count; column++)
            if (Columns[column].Constant is { } constant)
            {
                using var scope = NewDisposeScope();
                var values = rows.select(1, column).FetchDoubles();
                for (var i = 0; i < scores.Length; i++)
                    if (values[i] != constant) scores[i] = double.PositiveInfinity;
            }
        return scores;
    }

    // log p and the score, of the columns of the flows: means over the members
    private (double[] LogProb, double[] Scores) Scored(Tensor rows, string owner, CancellationToken cancellationToken)
    {
        var (logProb, scores) = (new double[rows.shape[0]], new double[rows.shape[0]]);
        foreach (var member in members)
        {
            var parts = member.LogProbParts(rows, owner, cancellationToken);
            for (var i = 0; i < scores.Length; i++)
            {
                var (latent, logDet) = (parts[2 * i] / members.Length, parts[(2 * i) + 1] / members.Length);
                logProb[i] += latent + logDet;
                // no latent tells of a row outside of the domain of a flow, but the log-determinant does
                scores[i] -= Kind == AnomalyScoreKind.Latent && double.IsFinite(logDet) ? latent : latent + logDet;
            }
        }
        for (var i = 0; i < scores.Length; i++)
        {
            if (Kind == AnomalyScoreKind.Typicality) scores[i] = Math.Abs(scores[i] - typical);
            // numbers beyond those of the dtype
            if (double.IsNaN(scores[i])) scores[i] = double.PositiveInfinity;
            if (double.IsNaN(logProb[i])) logProb[i] = double.NegativeInfinity;
        }
        return (logProb, scores);
    }

    private Tensor Kept(Tensor rows)
    {
        if (kept.Length == Columns.Count) return rows;
        using var places = tensor(Array.ConvertAll(kept, k => (long)k), device: CPU);
        return rows.index_select(1, places);
    }

    private static string Hint(Tensor rows, long columns, string parameter) =>
        rows.dim() == 1 && rows.shape[0] == columns ? $" Of one row, pass {parameter}.unsqueeze(0)."
        : rows.dim() == 2 && rows.shape[1] != columns && rows.shape[0] == columns ? $" Columns stand where rows do: pass {parameter}.t()."
        : !rows.is_floating_point() ? $" Convert them: {parameter}.to(torch.float64)." : "";

    // float64 on the CPU: units such as seconds since 1970 need the digits
    private static Tensor Checked(Tensor rows, IReadOnlyList<AnomalyColumn> columns, string parameter, string owner)
    {
        Check.Tensor(rows, parameter);
        Check.NotMeta(rows, parameter);
        if (rows.dim() != 2 || rows.shape[1] != columns.Count || !rows.is_floating_point())
            throw new ArgumentException(
                $"{owner} expects rows of shape (N, {columns.Count}) in a floating-point dtype; got {rows.dtype} " +
                $"{EventShape.Format(rows.shape)}.{Hint(rows, columns.Count, parameter)}", parameter);
        var x = rows.detach().FetchTensor().to(float64);
        MissingValues.Refuse(x, columns, parameter, owner);
        return x;
    }
}
