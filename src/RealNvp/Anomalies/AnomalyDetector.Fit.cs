using System.Globalization;
using System.Runtime.CompilerServices;
using RealNvp.Anomalies;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>From rows to a detector.</content>
public sealed partial class AnomalyDetector
{
    private const int LeastRows = 30, MostCalibrationRows = 2_000, GridPoints = 65;

    /// <summary>Fits flows to ordinary rows, and keeps some of them aside for p-values.</summary>
    /// <remarks>
    /// Rows that are no anomalies should be given; a few that are do little harm, as a flow learns what there is much of. Constant
    /// columns are left out, and values that repeat get noise in training: see <see cref="Notes"/>. Rows that are kept for p-values
    /// decide nothing else, so that ordinary rows which arrive later are like them.
    /// </remarks>
    /// <param name="rows">N rows of D numbers, in an array that says how many columns it has: <c>double[,]</c>,
    /// <c>float[][]</c>, or <see cref="DataRows(ReadOnlySpan{float}, int)"/> for others. N at least 30.</param>
    /// <param name="options">What to do otherwise; null for the defaults.</param>
    /// <param name="progress">Hears of every batch of the training, one member after the other.</param>
    /// <param name="cancellationToken">Stops the training; the detector is made with what was learned.</param>
    /// <returns>The detector. The caller disposes it.</returns>
    /// <exception cref="ArgumentException">Too few rows, NaN or infinity, constants alone, or an option that does not fit; the message
    /// names rows and columns.</exception>
    [OverloadResolutionPriority(1)]
    public static AnomalyDetector Fit(DataRows rows, AnomalyOptions? options = null, IProgress<TrainingProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        const string owner = $"{nameof(AnomalyDetector)}.{nameof(Fit)}";
        TorchBackend.EnsureAvailable();
        using var scope = NewDisposeScope();
        if (rows.IsNull) throw new ArgumentNullException(nameof(rows), $"{owner} needs an array of rows; got null.");
        if (rows.Columns is not { } columns)
            throw new ArgumentException(
                $"{owner} must know how many columns {nameof(rows)} has. Pass a double[,] or a float[][], or new " +
                $"{nameof(DataRows)}(numbers, columns).", nameof(rows));
        if (columns == 0) throw new ArgumentException($"{owner} needs at least one column; got rows without numbers.", nameof(rows));
        return Fit(rows.ToTensor([columns], nameof(rows), owner), options, progress, cancellationToken);
    }

    /// <summary>Fits a detector to the rows of a tensor, which stays the caller's.</summary>
    /// <param name="rows">(N, D) in a floating-point dtype, with N of at least 30, on any device.</param>
    /// <param name="options">What to do otherwise; null for the defaults.</param>
    /// <param name="progress">Hears of every batch of the training, one member after the other.</param>
    /// <param name="cancellationToken">Stops the training; the detector is made with what was learned.</param>
    /// <returns>The detector. The caller disposes it.</returns>
    /// <inheritdoc cref="Fit(DataRows, AnomalyOptions, IProgress{TrainingProgress}, CancellationToken)" path="/exception"/>
    public static AnomalyDetector Fit(Tensor rows, AnomalyOptions? options = null, IProgress<TrainingProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        const string owner = $"{nameof(AnomalyDetector)}.{nameof(Fit)}";
        options ??= new AnomalyOptions();
        options.Validate();
        Check.Tensor(rows, nameof(rows));
        Check.NotMeta(rows, nameof(rows));
        if (rows.dim() != 2 || rows.shape[1] == 0 || !rows.is_floating_point())
            throw new ArgumentException(
                $"{owner} expects rows of shape (N, D) in a floating-point dtype; got {rows.dtype} {EventShape.Format(rows.shape)}.",
                nameof(rows));
        if (rows.shape[0] < LeastRows)
            throw new ArgumentException($"{owner} needs at least {LeastRows} rows; got {rows.shape[0]}.", nameof(rows));
        using var scope = NewDisposeScope();
        // a caller may be in inference mode, where nothing could be trained
        using var gradients = GradientMode.Enter();
        var names = Names(options.Columns, (int)rows.shape[1]);
        var all = rows.detach().FetchTensor().to(float64);
        MissingValues.Refuse(all, c => names[c], nameof(rows), owner);

        using var generator = RandomSource.New(options.Seed);
        var order = Noise.Permutation(all.shape[0], generator);
        var aside = CalibrationRowsOf(all.shape[0], options.CalibrationFraction);
        var (calibration, x) = (all.index_select(0, order.narrow(0, 0, aside)),
            all.index_select(0, order.narrow(0, aside, all.shape[0] - aside)));
        AnomalyColumn[] columns = [.. names.Select((name, c) => ColumnOf(name, x.select(1, c).FetchDoubles(), nameof(rows), owner))];
        var kept = Enumerable.Range(0, columns.Length).Where(c => columns[c].Kind != ColumnKind.Constant).ToArray();
        if (kept.Length == 0)
            throw new ArgumentException($"{owner}: all columns are constant, so any other row is an anomaly.", nameof(rows));
        x = x.index_select(1, tensor(Array.ConvertAll(kept, k => (long)k), device: CPU));

        var choice = options.Model ?? AnomalyPreset.Model(kept.Length, x.shape[0]);
        if (choice.Shape.Count != 1 || choice.Shape[0] != kept.Length || choice.ContextSize != 0)
            throw new ArgumentException(
                $"{nameof(AnomalyOptions)}.{nameof(AnomalyOptions.Model)} is for examples of shape {choice.Shape} and " +
                $"{choice.ContextSize} numbers of context; expected ({kept.Length},) without a context, for the columns that are not " +
                $"constant.", nameof(options));
        var training = new MemberTraining(x, [.. kept.Select(k => columns[k].Noise)], choice, options);
        try
        {
            training.Run(progress, cancellationToken);
            // what was learned until the training was stopped is calibrated too
            return new AnomalyDetector([.. training.Members], ownsFlows: true, columns, options.Score, training.Typical,
                [.. Enumerable.Range(0, kept.Length).Select(c => Grid(x, c))],
                made => made.ScoresOf(calibration, owner, null, CancellationToken.None), options.Members)
            { Trainings = [.. training.Results] };
        }
        catch
        {
            foreach (var member in training.Members) member.Flow.Dispose();
            throw;
        }
    }

    /// <summary>Makes a detector of a flow of vectors that was trained before,
    /// of any kind, by ordinary rows that it was not trained on.</summary>
    /// <param name="flow">A flow of examples (D) without a context; it stays the caller's, and must live as long as the detector.</param>
    /// <param name="ordinary">n rows of D numbers, in an array of any form; n at least 1, and 99 or more to tell one false alarm in a
    /// hundred. For <see cref="AnomalyScoreKind.Typicality"/> at least 2: the first fifth tells what is typical.</param>
    /// <param name="columns">The names of the columns; null for those of <see cref="Flow.Info"/>, or numbers.</param>
    /// <param name="score">What the score of a row says.</param>
    /// <exception cref="ArgumentException">The flow is one of images, or has a
    /// context; or the rows do not fit, or have NaN or infinity.</exception>
    public static AnomalyDetector Calibrate(Flow flow, DataRows ordinary, IReadOnlyList<string>? columns = null,
        AnomalyScoreKind score = AnomalyScoreKind.Density)
    {
        const string owner = $"{nameof(AnomalyDetector)}.{nameof(Calibrate)}";
        ArgumentNullException.ThrowIfNull(flow);
        if (!Enum.IsDefined(score)) throw new ArgumentOutOfRangeException(nameof(score), score, "Expected a defined value.");
        if (flow.InputShape.Count != 1 || flow.ContextSize > 0 || flow.ContextEncoder is not null)
            throw new ArgumentException(
                $"{owner} takes a flow of vectors without a context; got one of {flow.InputShape}" +
                $"{(flow.ContextSize > 0 ? " with a context" : "")}.", nameof(flow));
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        AnomalyColumn[] all = [.. Names(columns ?? flow.Info.Columns, (int)flow.InputShape[0])
            .Select(n => new AnomalyColumn { Name = n, Kind = ColumnKind.Continuous })];
        var x = Checked(ordinary.ToTensor(flow.InputShape, nameof(ordinary), owner).to(float64), all, nameof(ordinary), owner);
        var (forTypical, typical) = (0L, 0.0);
        var least = score == AnomalyScoreKind.Typicality ? 2 : 1;
        if (x.shape[0] < least)
            throw new ArgumentException($"{owner} needs at least {least} ordinary row(s); got {x.shape[0]}.", nameof(ordinary));
        if (score == AnomalyScoreKind.Typicality)
        {
            forTypical = (x.shape[0] + 4) / 5;
            typical = -flow.LogProb(flow.ToWeights(x.narrow(0, 0, forTypical)), seed: 0).mean().FetchDouble();
        }
        return new AnomalyDetector([new DetectorMember(flow, null)], ownsFlows: false, all, score, typical,
            [.. Enumerable.Range(0, all.Length).Select(c => Grid(x, c))],
            made => made.ScoresOf(x.narrow(0, forTypical, x.shape[0] - forTypical), owner, null, CancellationToken.None));
    }

    // of n = 99, 199, ... rows any whole percentage α has α (n + 1) whole, so that false alarms are as many as α says and not fewer
    private static long CalibrationRowsOf(long rows, double fraction)
    {
        const int percent = 100;
        var aside = Math.Clamp(rows * fraction, 1, MostCalibrationRows);
        return (long)(aside < percent - 1 ? Math.Round(aside) : (percent * Math.Floor((aside + 1) / percent)) - 1);
    }

    // flows compute in float32
    private static AnomalyColumn ColumnOf(string name, double[] values, string parameter, string owner)
    {
        const double least = 1e-36, most = 1e36;
        var column = AnomalyColumn.Of(name, values);
        if (column.Kind == ColumnKind.Constant) return column;
        var (low, high) = (values.Min(), values.Max());
        if (Math.Max(-low, high) <= most && high - low >= least) return column;
        throw new ArgumentException(string.Create(CultureInfo.InvariantCulture,
            $"{owner}: column {name} has values from {low:G6} to {high:G6}, and float32, in which flows compute, holds distances of " +
            $"{least:G} to {most:G}. Give it in another unit."), parameter);
    }

    private static string[] Names(IReadOnlyList<string>? names, int count)
    {
        if (names is null) return [.. Enumerable.Range(0, count).Select(c => c.ToString(CultureInfo.InvariantCulture))];
        if (names.Count != count)
            throw new ArgumentException($"There are {names.Count} name(s) for {count} column(s).", nameof(names));
        NameCheck.Require(names, "column", nameof(names));
        return [.. names];
    }

    // quantiles, where the rows are, and even steps over twice their range, where odd values may be
    private static double[] Grid(Tensor x, int column)
    {
        var sorted = x.select(1, column).FetchDoubles().Order().ToArray();
        var (least, most) = (sorted[0], sorted[^1]);
        var spread = most - least;
        return [.. Enumerable.Range(0, GridPoints).SelectMany(i =>
        {
            var part = i / (GridPoints - 1.0);
            return new[] { sorted[(int)Math.Round(part * (sorted.Length - 1))], least - (0.5 * spread) + (2 * spread * part) };
        }).Distinct().Order()];
    }
}
