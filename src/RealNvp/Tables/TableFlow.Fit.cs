using System.Diagnostics;
using RealNvp.Internal;
using RealNvp.Tables;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>From a table to a density.</content>
public sealed partial class TableFlow
{
    private const int LeastRows = 20, SomeRows = 1_000, ManyRows = 5_000;

    // an epoch of a million rows has 3,500 steps: some of these are enough, and 400 would take days
    private const long MostSteps = 20_000;

    /// <summary>Fits a density to a table.</summary>
    /// <remarks>Rows with missing cells are used: their known cells are scored, each given the known ones before it.
    /// Whether a cell is missing is nothing that the density is of: it should not depend on the value of the cell.</remarks>
    /// <param name="table">The data, at least 20 rows.</param>
    /// <param name="schema">What the columns are; null for what <see cref="TableSchema.Propose"/> says.</param>
    /// <param name="options">What to do otherwise; null for the defaults.</param>
    /// <param name="progress">Hears of every batch.</param>
    /// <param name="cancellationToken">Stops the training; the density is usable then.</param>
    /// <returns>The density. The caller disposes it.</returns>
    /// <exception cref="ArgumentException">Too few rows, a column that is absent or of another kind, a value that
    /// the schema does not allow, or an option out of its range; the message names row and column.</exception>
    public static TableFlow Fit(Table table, TableSchema? schema = null, TableFlowOptions? options = null,
        IProgress<TrainingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        const string owner = $"{nameof(TableFlow)}.{nameof(Fit)}";
        ArgumentNullException.ThrowIfNull(table);
        TorchBackend.EnsureAvailable();
        var clock = Stopwatch.StartNew();
        options ??= new();
        var notes = schema is null ? (schema = TableSchema.Propose(table)).Notes : [];
        options.Validate(schema);
        var codecs = schema.Columns.Select(c => ColumnCodec.Fit(c, table.Find(c.Name)
            ?? throw new ArgumentException(
                $"{owner}: the schema has column '{c.Name}', and the table has {string.Join(", ", table.Names)}.",
                nameof(schema)), nameof(table))).ToArray();
        var order = options.OrderOf(schema);
        var coded = TableCodes.Of(table, [.. order.Select(place => codecs[place])], mayLack: false, owner);
        coded.RefuseForeign(table, owner);
        // a row without a known cell says nothing
        int[] rows = [.. Enumerable.Range(0, coded.Rows).Where(r => coded.Known.AsSpan(r * coded.Columns, coded.Columns).Contains(true))];
        if (rows.Length < LeastRows)
            throw new ArgumentException($"{owner} needs at least {LeastRows} rows with values, to train on and to hold out; got " +
                $"{rows.Length}.", nameof(table));
        using var scope = NewDisposeScope();
        using var gradients = GradientMode.Enter();
        // few rows are soon learned by heart: fewer units and bins then, and more of them left out in each step
        var (hidden, bins, dropout) = rows.Length >= ManyRows ? (192, 12, 0.05) : rows.Length >= SomeRows ? (96, 10, 0.15) : (64, 6, 0.3);
        var file = new TableFile
        {
            Version = TableFile.CurrentVersion, Order = order, Bins = options.Bins ?? bins, Blocks = options.Blocks,
            Hidden = options.Hidden ?? hidden, Dropout = options.Dropout ?? dropout,
            Columns = [.. codecs.Select(c => new TableFileColumn { Schema = c.Schema, Cells = c.Cells, Numbers = c.Numbers })],
        };
        TableFlow made;
        using (Weights.Seed(options.Seed)) made = new TableFlow(file, codecs);
        try
        {
            made.Train(coded, rows, options, clock, progress, cancellationToken);
            made.Report = made.Report! with { Notes = notes };
            return made;
        }
        catch
        {
            made.Dispose();
            throw;
        }
    }

    private void Train(TableCodes coded, int[] rows, TableFlowOptions options, Stopwatch clock, IProgress<TrainingProgress>? progress,
        CancellationToken cancellationToken)
    {
        var held = Math.Clamp((int)Math.Round(rows.Length * options.HeldOut), 2, rows.Length - 2);
        using var generator = RandomSource.New(options.Seed);
        int[] mixed = [.. Noise.Permutation(rows.Length, generator).FetchInt64s().Select(i => rows[i])];
        var (train, validation) = (mixed[held..], mixed[..held]);
        var training = options.Training ?? new TrainingOptions
        {
            BatchSize = Math.Clamp(train.Length / 16, 16, 256), Epochs = 400, Patience = 25, MaxSteps = MostSteps, LearningRate = 2e-3,
                WeightNormDecay = 0,
            MaxGradientNorm = 10, AverageDecay = 0.99, Schedule = new ConstantSchedule { WarmUpSteps = 50 }, Seed = options.Seed,
        };
        var checkpoint = options.Checkpoint;
        var result = checkpoint.Train(flow, training, Data(train), Data(validation), () => coded.Identify(new FitIdentity())
            .With(nameof(Schema), Schema).With(nameof(Order), Order).With(nameof(options.Hidden), file.Hidden)
            .With(nameof(options.Blocks), file.Blocks).With(nameof(options.Bins), file.Bins).With(nameof(options.Dropout), file.Dropout)
            .With(nameof(options.HeldOut), options.HeldOut).With(nameof(options.Seed), options.Seed)
            .WithOptions(nameof(options.Training), training), progress, cancellationToken);
        if (result.Reason != StopReason.Cancelled) checkpoint.Remove();
        // warnings of constant columns: the context is which cells are known, and it is no news that most are; and of codes, a level that
        // all rows have is one with the probability 1
        result = result with
        {
            Warnings = [.. result.Warnings.Where(w => !w.StartsWith("Context column", StringComparison.Ordinal)
                && !w.StartsWith("Column ", StringComparison.Ordinal))],
        };
        flow.eval();
        var (x, known) = coded.ToTensors(validation);
        double[] scores = flow.LogProb(x.to(Dtype), known.to(Dtype), cancellationToken: CancellationToken.None).FetchDoubles();
        for (var i = 0; i < held; i++) scores[i] += coded.LogDet(validation[i]);
        var mean = scores.Average();
        Report = new TableReport
        {
            TrainingRows = train.Length, HeldOutRows = held, IncompleteRows = rows.Count(r => !coded.IsComplete(r)), HeldOutLogProb = mean,
            StandardError = Math.Sqrt(scores.Sum(s => (s - mean) * (s - mean)) / (held - 1) / held), Result = result,
                Duration = clock.Elapsed,
        };

        TrainingData Data(int[] some)
        {
            var (codes, there) = coded.ToTensors(some);
            return TrainingData.From(codes.to(Dtype), there.to(Dtype));
        }
    }
}
