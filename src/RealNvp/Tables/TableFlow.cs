using RealNvp.Internal;
using RealNvp.Tables;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>A density of tables with columns of mixed kinds: categories, whole numbers, numbers with bounds or heavy tails, circles, and
/// missing cells. It scores, samples and imputes in the user's own units and categories.</summary>
/// <remarks>
/// <para><c>using var flow = TableFlow.Fit(table); double[] scores = flow.LogProb(table); Table drawn = flow.Sample(100);</c></para>
/// <para>log p(row) = Σ log p(column | columns before it): the logarithm of a probability for each discrete column, of a density for each
/// other one, in the units of the column. It is exact: discrete columns are integrated over their cells, and nothing is
/// bounded or estimated, but for rows with missing cells (<see cref="LogProbWithErrors"/>).</para>
/// <para>All methods but <see cref="Dispose"/> are safe for several threads.</para>
/// </remarks>
public sealed partial class TableFlow : IDisposable
{
    private const int RowsAtATime = 4096, MostDraws = 100_000;

    // in the order of the schema, and in that of the density
    private readonly ColumnCodec[] columns, codecs;
    private readonly TableFile file;
    private readonly TableLayer layer;
    private readonly Flow flow;

    private TableFlow(TableFile file, ColumnCodec[] columns)
    {
        (this.file, this.columns) = (file, columns);
        codecs = [.. file.Order.Select(place => columns[place])];
        Schema = TableSchema.Of([.. columns.Select(c => c.Schema)]);
        layer = new TableLayer([.. codecs.Select(c => c.Head)], file.Bins, file.Hidden, file.Blocks, file.Dropout);
        flow = new Flow(EventShape.Create(codecs.Length), layer, new UniformBox(EventShape.Create(codecs.Length)));
    }

    /// <summary>The schema, with all that the data completed.</summary>
    public TableSchema Schema { get; }

    /// <summary>The names of the columns in the order in which the density goes through them.</summary>
    public IReadOnlyList<string> Order => [.. codecs.Select(c => c.Schema.Name)];

    /// <summary>What the fit did; null for one from a file.</summary>
    public TableReport? Report { get; private set; }

    /// <summary>The number of weights.</summary>
    public long WeightCount => flow.parameters().Sum(p => p.numel());

    /// <summary>What log p of a row without missing cells is: exact.</summary>
    public Likelihood Likelihood => flow.Likelihood;

    /// <summary>Draws rows.</summary>
    /// <param name="count">How many; 0 or more, and at most 2 · 10⁹ cells.</param>
    /// <param name="seed">Makes the result repeatable; null for another one each time.</param>
    /// <param name="progress">Hears from time to time how many rows are done.</param>
    /// <param name="cancellationToken">Ends the call between two groups of rows.</param>
    /// <returns>A table of the columns of the schema, in the user's units and categories.</returns>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public Table Sample(int count, long? seed = null, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        if (count < 0 || count > Array.MaxLength / codecs.Length)
            throw new ArgumentOutOfRangeException(nameof(count), count,
                $"Expected 0 to {Array.MaxLength / codecs.Length} rows of {codecs.Length} columns at a time.");
        using var held = flow.Held();
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        using var generator = RandomSource.New(seed ?? Random.Shared.NextInt64());
        var rows = new double[count * codecs.Length];
        for (var start = 0; start < count; start += RowsAtATime)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using var step = NewDisposeScope();
            var codes = zeros(Math.Min(RowsAtATime, count - start), codecs.Length, dtype: Dtype, device: CPU);
            Filled(codes, zeros_like(codes), generator).FetchDoubles().CopyTo(rows, start * codecs.Length);
            progress?.Report(start + codes.shape[0]);
        }
        return ToTable(rows);
    }

    /// <summary>log p of each row, in nats.</summary>
    /// <remarks>Exact for rows without missing cells, for such that lack what comes last in <see cref="Order"/>, and for such that lack
    /// few categories alone; else an estimate, of which <see cref="LogProbWithErrors"/> says how good it is. A
    /// value that the schema does not allow gives minus infinity.</remarks>
    /// <param name="rows">A table with the columns of the schema; others are left alone.</param>
    /// <param name="draws">How many draws of the missing cells of a row; 2 to 100,000.</param>
    /// <param name="seed">Fixes them.</param>
    /// <param name="progress">Hears from time to time how many rows are done.</param>
    /// <param name="cancellationToken">Ends the call between two groups of rows.</param>
    /// <exception cref="ArgumentException">A column is absent or of another kind.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public double[] LogProb(Table rows, int draws = 256, long seed = 0, IProgress<long>? progress = null,
        CancellationToken cancellationToken = default) =>
        LogProbWithErrors(rows, draws, seed, progress, cancellationToken).LogProb;

    /// <summary>log p of the known cells of each row, and its standard error, in nats.</summary>
    /// <remarks>p(known) = E[Π p(known column | columns before it)] over draws of the missing cells, each given those before it: unbiased,
    /// and its logarithm a little low on average. The error is 0 if it is exact. It says nothing of what no draw met.</remarks>
    /// <inheritdoc cref="LogProb"/>
    public (double[] LogProb, double[] StandardErrors) LogProbWithErrors(Table rows, int draws = 256, long seed = 0,
        IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        const string owner = $"{nameof(TableFlow)}.{nameof(LogProb)}";
        CheckDraws(draws);
        using var held = flow.Held();
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        using var generator = RandomSource.New(seed);
        var coded = TableCodes.Of(rows, codecs, mayLack: false, owner);
        var (logProb, errors) = (new double[coded.Rows], new double[coded.Rows]);
        var pace = new Pace(progress, cancellationToken);
        foreach (var (row, terms) in CompleteRows(coded, pace)) logProb[row] = terms.Sum() + coded.LogDet(row);
        foreach (var done in Completions(coded, -1, draws, 1, generator, pace))
            (logProb[done.Row], errors[done.Row]) = (done.LogProb + coded.LogDet(done.Row), done.StandardError);
        return (logProb, errors);
    }

    /// <summary>log p of each column of each row given the columns before it in <see cref="Order"/>, which sum to log p: what is odd
    /// about a row.</summary>
    /// <param name="rows">A table with the columns of the schema, without missing cells.</param>
    /// <param name="progress">Hears from time to time how many rows are done.</param>
    /// <param name="cancellationToken">Ends the call between two groups of rows.</param>
    /// <returns>A row for each row, with the columns in the order of the schema.</returns>
    /// <exception cref="ArgumentException">A cell is missing; the message says which.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public double[,] LogProbByColumn(Table rows, IProgress<long>? progress = null, CancellationToken cancellationToken = default)
    {
        const string owner = $"{nameof(TableFlow)}.{nameof(LogProbByColumn)}";
        using var held = flow.Held();
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var coded = TableCodes.Of(rows, codecs, mayLack: false, owner);
        if (Array.IndexOf(coded.Known, false) is >= 0 and var at)
            throw new ArgumentException(
                $"{owner}: row {at / coded.Columns}, column '{codecs[at % coded.Columns].Schema.Name}' is missing. " +
                $"Leave the row out, or fill it in by {nameof(Impute)}.", nameof(rows));
        var result = new double[coded.Rows, coded.Columns];
        foreach (var (row, terms) in CompleteRows(coded, new Pace(progress, cancellationToken)))
            for (var c = 0; c < terms.Length; c++)
            {
                var place = (row * coded.Columns) + c;
                result[row, file.Order[c]] = double.IsNaN(coded.Codes[place]) ? double.NegativeInfinity : terms[c] + coded.LogDets[place];
            }
        return result;
    }

    /// <summary>The columns of the schema as numbers, for pictures: categories by their places in <see cref="ValuesOf"/>, NaN for missing
    /// cells and for categories that the schema does not know.</summary>
    /// <param name="rows">A table with the columns of the schema.</param>
    /// <returns>A row for each row, with the columns in the order of the schema.</returns>
    public double[,] ToNumbers(Table rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        var result = new double[rows.RowCount, columns.Length];
        for (var c = 0; c < columns.Length; c++)
        {
            var column = rows[columns[c].Schema.Name];
            var isCategory = columns[c].Schema.Kind == TableColumnKind.Category;
            var texts = isCategory ? column.ToTexts() : null;
            var numbers = isCategory ? null : column.ToNumbers();
            for (var r = 0; r < rows.RowCount; r++)
                result[r, c] = numbers is not null ? numbers[r] : texts![r] is { } text ? columns[c].Encode(text).Code : double.NaN;
        }
        return result;
    }

    /// <summary>Frees the network.</summary>
    public void Dispose() => flow.Dispose();

    /// <summary>The schema and the size, for a log.</summary>
    public override string ToString() =>
        FormattableString.Invariant($"{nameof(TableFlow)} of {codecs.Length} columns, {WeightCount:N0} weights\n{Schema}");

    private ScalarType Dtype => flow.parameters().First().dtype;

    private IEnumerable<(int Row, double[] Terms)> CompleteRows(TableCodes coded, Pace pace)
    {
        int[] complete = [.. Enumerable.Range(0, coded.Rows).Where(coded.IsComplete)];
        foreach (var part in complete.Chunk(RowsAtATime))
        {
            double[] terms;
            using (NewDisposeScope())
            {
                var (codes, known) = coded.ToTensors(part);
                terms = layer.Terms(codes.to(Dtype), known.to(Dtype)).FetchDoubles();
            }
            pace.Done(part.Length);
            for (var r = 0; r < part.Length; r++) yield return (part[r], terms[(r * coded.Columns)..((r + 1) * coded.Columns)]);
        }
    }

    // the missing cells drawn column after column; float64 keeps both tails of the uniform numbers
    private Tensor Filled(Tensor codes, Tensor known, Generator generator)
    {
        var least = finfo(ScalarType.Float64).eps;
        return layer.Fill(codes, known, Noise.Uniform(codes.shape, float64, CPU, generator, least, 1 - least));
    }

    // rows of codes, in the order of the density, as a table in that of the schema
    private Table ToTable(double[] rows)
    {
        var count = rows.Length / codecs.Length;
        var made = new (string, TableColumn)[codecs.Length];
        for (var c = 0; c < codecs.Length; c++)
        {
            var codec = codecs[c];
            var at = c;
            var codes = Enumerable.Range(0, count).Select(r => rows[(r * codecs.Length) + at]);
            made[file.Order[c]] = (codec.Schema.Name, codec.Schema.Kind == TableColumnKind.Category
                ? TableColumn.Of([.. codes.Select(codec.NameOf)], codec.Cells)
                : TableColumn.Of([.. codes.Select(codec.Decode)]));
        }
        return Table.FromColumns(made);
    }

    private static void CheckDraws(int draws)
    {
        if (draws is < 2 or > MostDraws)
            throw new ArgumentOutOfRangeException(nameof(draws), draws,
                $"Expected 2 to {MostDraws} draws: two at least tell how good they are.");
    }
}
