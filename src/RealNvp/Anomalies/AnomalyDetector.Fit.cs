using System.Globalization;
using System.Runtime.CompilerServices;
using RealNvp.Anomalies;
using RealNvp.Fitting;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>From rows to a detector.</content>
public sealed partial class AnomalyDetector
{
    private const int MostCalibrationRows = 2_000, GridPoints = 65;
    private const double ValidationFraction = 0.1;

    /// <summary>Fits a density to ordinary rows, and keeps some of them aside for p-values.</summary>
    /// <remarks>
    /// Rows that are no anomalies should be given; a few that are do little harm, as a flow learns what there is much of. Constant
    /// columns are left out, and values that repeat get noise in training: see <see cref="Notes"/>.
    /// </remarks>
    /// <param name="rows">N rows of D numbers, in an array that says how many columns it has: <c>double[,]</c>,
    /// <c>float[][]</c>, or <see cref="DataRows(ReadOnlySpan{float}, int)"/> for others. N at least 30.</param>
    /// <param name="options">What to do otherwise; null for the defaults.</param>
    /// <param name="progress">Hears of every batch of the training.</param>
    /// <param name="cancellationToken">Stops the training; the detector is made with what was learned.</param>
    /// <returns>The detector. The caller disposes it.</returns>
    /// <exception cref="ArgumentException">Too few rows, NaN or infinity, constants alone, or an option that does not fit; the message
    /// names rows and columns.</exception>
    [OverloadResolutionPriority(1)]
    public static AnomalyDetector Fit(DataRows rows, AnomalyOptions? options = null, IProgress<TrainingProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        const string owner = $"{nameof(AnomalyDetector)}.{nameof(Fit)}";
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
    /// <param name="rows">(N, D) in a floating-point dtype, with N of at least 30.</param>
    /// <param name="options">What to do otherwise; null for the defaults.</param>
    /// <param name="progress">Hears of every batch of the training.</param>
    /// <param name="cancellationToken">Stops the training; the detector is made with what was learned.</param>
    /// <inheritdoc cref="Fit(DataRows, AnomalyOptions, IProgress{TrainingProgress}, CancellationToken)"/>
    public static AnomalyDetector Fit(Tensor rows, AnomalyOptions? options = null, IProgress<TrainingProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        const string owner = $"{nameof(AnomalyDetector)}.{nameof(Fit)}";
        const int leastRows = 30;
        options ??= new AnomalyOptions();
        options.Validate();
        Check.Tensor(rows, nameof(rows));
        Check.NotMeta(rows, nameof(rows));
        if (rows.dim() != 2 || rows.shape[1] == 0 || !rows.is_floating_point())
            throw new ArgumentException(
                $"{owner} expects rows of shape (N, D) in a floating-point dtype; got {rows.dtype} {EventShape.Format(rows.shape)}.",
                nameof(rows));
        if (rows.shape[0] < leastRows)
            throw new ArgumentException($"{owner} needs at least {leastRows} rows; got {rows.shape[0]}.", nameof(rows));
        using var scope = NewDisposeScope();
        using var gradients = GradientMode.Enter();
        var x = rows.detach().to(float64).cpu();
        var names = Names(options.Columns, (int)x.shape[1]);
        MissingValues.Refuse(x, names, nameof(rows), owner);
        AnomalyColumn[] columns = [.. names.Select((name, c) => AnomalyColumn.Of(name, x.select(1, c).FetchDoubles()))];
        var kept = Enumerable.Range(0, columns.Length).Where(c => columns[c].Kind != ColumnKind.Constant).ToArray();
        if (kept.Length == 0)
            throw new ArgumentException($"{owner}: all columns are constant, so any other row is an anomaly.", nameof(rows));
        if (kept.Length < columns.Length) x = x.index_select(1, tensor(Array.ConvertAll(kept, k => (long)k), device: CPU));

        var calibrationRows = (int)Math.Clamp(Math.Round(x.shape[0] * options.CalibrationFraction), 1, MostCalibrationRows);
        using var generator = RandomSource.New(options.Seed);
        var order = Noise.Permutation(x.shape[0], generator);
        Tensor Part(long start, long count) => x.index_select(0, order.narrow(0, start, count));
        var (calibration, rest) = (Part(0, calibrationRows), x.shape[0] - calibrationRows);
        var held = Math.Max(2, (long)Math.Round(rest * ValidationFraction));
        var (validation, train) = (Part(calibrationRows, held), Part(calibrationRows + held, rest - held));

        var choice = options.Model ?? AnomalyPreset.Of(kept.Length, train.shape[0]);
        if (choice.Shape.Count != 1 || choice.Shape[0] != kept.Length || choice.ContextSize != 0)
            throw new ArgumentException(
                $"{nameof(AnomalyOptions)}.{nameof(AnomalyOptions.Model)} is for examples of shape {choice.Shape} and " +
                    $"{choice.ContextSize} " +
                $"numbers of context; expected ({kept.Length},) without a context, for the columns that are not constant.",
                nameof(options));
        var model = choice.NewModel(options.Seed);
        try
        {
            if (options.Device is { } device) model.to(device);
            model.Info = new FlowInfo { Columns = [.. kept.Select(k => columns[k].Name)] };
            Train(model, train, validation, [.. kept.Select(k => columns[k].Noise)], options, progress, cancellationToken);
            model.eval();
            double[] scores;
            // (what was learned until the training was stopped is calibrated too)
            using (no_grad())
                scores = [.. model.LogProb(model.ToWeights(calibration), cancellationToken: CancellationToken.None).FetchDoubles()
                    .Select(p => -p).Order()];
            return new AnomalyDetector(model, ownsFlow: true, columns, scores,
                [.. Enumerable.Range(0, kept.Length).Select(c => Grid(train, c))]);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Makes a detector of a flow of vectors that was trained before,
    /// of any kind, by ordinary rows that it was not trained on.</summary>
    /// <param name="flow">A flow of examples (D) without a context; it stays the caller's, and must live as long as the detector.</param>
    /// <param name="ordinary">n rows of D numbers, in an array of any form; n
    /// at least 1, and 99 or more to tell one false alarm in a hundred.</param>
    /// <param name="columns">The names of the columns; null for those of <see cref="Flow.Info"/>, or numbers.</param>
    /// <exception cref="ArgumentException">The flow is one of images, or has a
    /// context; or the rows do not fit, or have NaN or infinity.</exception>
    public static AnomalyDetector Calibrate(Flow flow, DataRows ordinary, IReadOnlyList<string>? columns = null)
    {
        const string owner = $"{nameof(AnomalyDetector)}.{nameof(Calibrate)}";
        ArgumentNullException.ThrowIfNull(flow);
        if (flow.InputShape.Count != 1 || flow.ContextSize > 0)
            throw new ArgumentException(
                $"{owner} takes a flow of vectors without a context; got one of {flow.InputShape}" +
                $"{(flow.ContextSize > 0 ? " with a context" : "")}.", nameof(flow));
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var names = Names(columns ?? flow.Info.Columns, (int)flow.InputShape[0]);
        var x = ordinary.ToTensor(flow.InputShape, nameof(ordinary), owner).to(float64);
        if (x.shape[0] == 0) throw new ArgumentException($"{owner} needs at least one row.", nameof(ordinary));
        MissingValues.Refuse(x, names, nameof(ordinary), owner);
        double[] scores = [.. flow.LogProb(flow.ToWeights(x)).FetchDoubles().Select(p => -p).Order()];
        return new AnomalyDetector(flow, ownsFlow: false,
            [.. names.Select(n => new AnomalyColumn { Name = n, Kind = ColumnKind.Continuous })],
            scores, [.. Enumerable.Range(0, names.Length).Select(c => Grid(x, c))]);
    }

    private static void Train(FlowModel model, Tensor train, Tensor validation, double[] widths, AnomalyOptions options,
        IProgress<TrainingProgress>? progress, CancellationToken cancellationToken)
    {
        var training = options.Training
            ?? TrainingOptions.For(model.ModelOptions) with { Seed = options.Seed, MaxDuration = TimeSpan.FromMinutes(1) };
        using var trainer = new Trainer(model, training);
        var (rows, held) = (model.ToWeights(train), model.ToWeights(validation));
        if (widths.All(w => w == 0))
        {
            trainer.Fit(TrainingData.From(rows), TrainingData.From(held), progress, cancellationToken);
            return;
        }
        var noise = model.ToWeights(tensor(widths, device: CPU));
        var none = zeros_like(noise);
        // the noise of the rows that the training stops on is always the same
        held = JitteredRows.Noisy(held, noise, none, options.Seed + 1);
        trainer.Fit(new JitteredRows(rows, noise, none), TrainingData.From(held), progress, cancellationToken);
    }

    private static string[] Names(IReadOnlyList<string>? names, int count)
    {
        if (names is null) return [.. Enumerable.Range(0, count).Select(c => c.ToString(CultureInfo.InvariantCulture))];
        if (names.Count != count)
            throw new ArgumentException($"There are {names.Count} name(s) for {count} column(s).", nameof(names));
        if (names.Any(string.IsNullOrWhiteSpace))
            throw new ArgumentException("A column has an empty name. Name each column, or none.", nameof(names));
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
