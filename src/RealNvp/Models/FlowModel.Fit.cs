using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using RealNvp.Fitting;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>One line from rows to a density.</content>
public abstract partial class FlowModel
{
    /// <summary>What <c>Fit</c> did; null for a model that was built or loaded.</summary>
    public FitReport? Report { get; private set; }

    /// <summary>Fits a density to rows: chooses a preset by their number and that of the columns,
    /// holds a part out, trains until that part improves no more, and reports.</summary>
    /// <remarks>
    /// <c>using var model = FlowModel.Fit(rows); Console.WriteLine(model.Report); double[] scores =
    /// model.LogProb(rows);</c>. For more than that, build a model from its options and use a <see cref="Trainer"/>.
    /// </remarks>
    /// <param name="rows">N rows of D numbers, in an array that says how many columns it has: <c>double[,]</c>,
    /// <c>float[][]</c>, or <see cref="DataRows(ReadOnlySpan{float}, int)"/> for others. N at least 20.</param>
    /// <param name="context">For a density of the rows given other numbers: N rows of C numbers.</param>
    /// <param name="options">What to do otherwise; null for the defaults.</param>
    /// <param name="progress">Hears of every batch.</param>
    /// <param name="cancellationToken">Stops the training; the model is usable then, and the report says so.</param>
    /// <returns>The model, in evaluation mode. The caller disposes it.</returns>
    /// <exception cref="ArgumentException">Too few rows, NaN or infinity, a column with one
    /// value only, or an option that does not fit; the message names the columns.</exception>
    [OverloadResolutionPriority(1)]
    public static FlowModel Fit(DataRows rows, DataRows context = default, FitOptions? options = null,
        IProgress<TrainingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        const string owner = $"{nameof(FlowModel)}.{nameof(Fit)}";
        TorchBackend.EnsureAvailable();
        using var scope = NewDisposeScope();
        var x = Table(rows, nameof(rows), owner);
        return Fit(x, context.IsNull ? null : Table(context, nameof(context), owner), options, progress, cancellationToken);
    }

    /// <summary>Fits a density to the rows of a tensor, which stays the caller's.</summary>
    /// <remarks>
    /// All else is as for arrays: <see cref="Fit(DataRows, DataRows, FitOptions, IProgress{TrainingProgress}, CancellationToken)"/>.
    /// </remarks>
    /// <param name="rows">(N, D) in a floating-point dtype, with N of at least 20.</param>
    /// <param name="context">(N, C) in a floating-point dtype, for a density of the rows given these; or null.</param>
    /// <param name="options">What to do otherwise; null for the defaults.</param>
    /// <param name="progress">Hears of every batch.</param>
    /// <param name="cancellationToken">Stops the training; the model is usable then, and the report says so.</param>
    /// <returns>The model, in evaluation mode. The caller disposes it.</returns>
    /// <exception cref="ArgumentException">Too few rows, NaN or infinity, a column with one
    /// value only, or an option that does not fit; the message names the columns.</exception>
    public static FlowModel Fit(Tensor rows, Tensor? context = null, FitOptions? options = null,
        IProgress<TrainingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        const string owner = $"{nameof(FlowModel)}.{nameof(Fit)}";
        options ??= new FitOptions();
        CheckTable(rows, nameof(rows), owner);
        if (context is not null)
        {
            CheckTable(context, nameof(context), owner);
            if (context.shape[0] != rows.shape[0])
                throw new ArgumentException($"{owner} needs a context for each row; got {context.shape[0]} for {rows.shape[0]} rows.",
                    nameof(context));
        }
        options.Validate(rows.shape[1], context?.shape[1] ?? 0);
        if (rows.shape[0] < TableCheck.LeastRows)
            throw new ArgumentException(
                $"{owner} needs at least {TableCheck.LeastRows} rows, to train on and to hold out; got {rows.shape[0]}. A density of so " +
                $"few rows is better described by their mean and deviation.", nameof(rows));
        var clock = Stopwatch.StartNew();
        using var scope = NewDisposeScope();
        // a caller may be in inference mode, where nothing could be trained
        using var gradients = GradientMode.Enter();
        TableCheck.Finite(rows, options.Columns, "column", nameof(rows), owner);
        if (context is not null) TableCheck.Finite(context, options.ContextColumns, "context column", nameof(context), owner);
        var (train, held) = Parted(rows.detach(), context?.detach(), options);
        TableCheck.Vary(train.X, options.Columns, "column", nameof(rows), owner);
        if (train.Context is { } contexts) TableCheck.Vary(contexts, options.ContextColumns, "context column", nameof(context), owner);

        var choice = options.Model ?? PresetChoice.Of(rows.shape[1], train.X.shape[0], context?.shape[1] ?? 0);
        var model = choice.NewModel(options.Seed);
        try
        {
            if (options.Device is { } device) model.to(device);
            model.Info = new FlowInfo { Columns = options.Columns is null ? null
                : [.. options.Columns], ContextColumns = options.ContextColumns is null ? null : [.. options.ContextColumns] };
            var result = Trained(model, train, held, options, progress, cancellationToken);
            model.Report = Reported(model, train, held, options, result, clock);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private static TrainingResult Trained(FlowModel model, (Tensor X, Tensor? Context) train, (Tensor X, Tensor? Context) held,
        FitOptions options, IProgress<TrainingProgress>? progress, CancellationToken cancellationToken)
    {
        var checkpoint = options.Checkpoint;
        var training = options.Training ?? TrainingOptions.For(model.ModelOptions) with { Seed = options.Seed };
        var result = checkpoint.Train(model, training, TrainingData.From(train.X, train.Context), TrainingData.From(held.X, held.Context),
            () => new FitIdentity().WithRows("rows to train on", train.X).WithRows("their contexts", train.Context)
                .WithRows("rows held out", held.X).WithRows("contexts held out", held.Context)
                .With(nameof(options.Columns), options.Columns)
                .With(nameof(options.ContextColumns), options.ContextColumns).With(nameof(options.HeldOut), options.HeldOut)
                .With(nameof(options.Seed), options.Seed).WithOptions(nameof(options.Model), model.ModelOptions)
                .WithOptions(nameof(options.Training), training), progress, cancellationToken);
        if (result.Reason != StopReason.Cancelled) checkpoint.Remove();
        return result;
    }

    private static FitReport Reported(FlowModel model, (Tensor X, Tensor? Context) train, (Tensor X, Tensor? Context) held,
        FitOptions options, TrainingResult result, Stopwatch clock)
    {
        const long most = 10_000;
        var (rows, columns) = (train.X.shape[0], train.X.shape[1]);
        var some = Math.Min(most, rows);
        var onTraining = model.Evaluate(train.X.narrow(0, 0, some), train.Context?.narrow(0, 0, some));
        var onHeldOut = model.Evaluate(held.X, held.Context);
        var gaussian = train.Context is null ? GaussianScore.Of(train.X, held.X) : double.NaN;
        var warnings = result.Warnings.ToList();
        if (TableCheck.FewValues(train.X, options.Columns) is { } few) warnings.Add(few);
        if (onHeldOut.MeanLogProb <= gaussian)
            warnings.Add(onHeldOut.MeanLogProb < gaussian - (onHeldOut.StandardError is var error and > 0 ? error : 0)
                ? "A Gaussian describes the held-out rows better than the flow. Train longer, or use the Gaussian: the rows may be too " +
                    "few, or columns may be sums or multiples of others."
                : "A Gaussian describes the held-out rows as well as the flow. The data may be normal, or too few; or the training was " +
                    "cut short.");
        var why = options.Model is null ? "the preset for" : "as asked for, on";
        var given = model.ContextSize > 0 ? string.Create(CultureInfo.InvariantCulture, $" and {model.ContextSize:N0} of context") : "";
        return new FitReport
        {
            Model = string.Create(CultureInfo.InvariantCulture,
                $"{model.GetName()}, {why} {rows:N0} rows of {columns:N0} column{(columns == 1 ? "" : "s")}") + given,
            Columns = options.Columns is null ? null : [.. options.Columns],
            TrainingRows = rows, HeldOutRows = held.X.shape[0], Training = onTraining, HeldOut = onHeldOut, GaussianHeldOut = gaussian,
                Result = result, Duration = clock.Elapsed, Warnings = warnings,
        };
    }

    // the held-out rows are the last of a seeded permutation
    private static ((Tensor X, Tensor? Context) Train, (Tensor X, Tensor? Context) Held) Parted(Tensor x, Tensor? context,
        FitOptions options)
    {
        var count = x.shape[0];
        var held = Math.Clamp((long)Math.Round(count * options.HeldOut), 2, count - 2);
        using var generator = RandomSource.New(options.Seed);
        var order = Noise.Permutation(count, generator).to(x.device);
        (Tensor, Tensor?) Part(long start, long size)
        {
            var rows = order.narrow(0, start, size);
            return (x.index_select(0, rows), context?.index_select(0, rows.to(context.device)));
        }
        return (Part(0, count - held), Part(count - held, held));
    }

    private static void CheckTable(Tensor x, string parameter, string owner)
    {
        Check.Tensor(x, parameter);
        Check.NotMeta(x, parameter);
        if (x.dim() != 2 || x.shape[1] == 0 || !x.is_floating_point())
            throw new ArgumentException(
                $"{owner} expects {parameter} of shape (N, D) in a floating-point dtype; got {x.dtype} " +
                $"{EventShape.Format(x.shape)}.{(x.dim() == 1 ? $" For one column: {parameter}.unsqueeze(1)." : "")}", parameter);
    }

    private static Tensor Table(DataRows rows, string parameter, string owner)
    {
        if (rows.IsNull) throw new ArgumentNullException(parameter, $"{owner} needs an array of rows; got null.");
        if (rows.Columns is not { } columns)
            throw new ArgumentException(
                $"{owner} must know how many columns {parameter} has. Pass a double[,] or a float[][], or new " +
                $"{nameof(DataRows)}(numbers, columns).", parameter);
        if (columns == 0) throw new ArgumentException($"{owner} needs at least one column; got rows without numbers.", parameter);
        return rows.ToTensor([columns], parameter, owner);
    }
}
