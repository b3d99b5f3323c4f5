using RealNvp.Internal;
using RealNvp.Tables;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>What is missing, given what is known.</content>
public sealed partial class TableFlow
{
    private const int MostTries = 1024;

    /// <summary>Fills in missing cells by draws of p(missing | known), and says how good they are.</summary>
    /// <remarks>Exact where what is missing comes last in <see cref="Order"/>, or is a few categories and levels alone, which are all
    /// tried. Else
    /// by importance sampling: missing cells are drawn column after column, weighted by what the known ones behind them say, and one of
    /// the draws is
    /// taken by its weight. Rows with all cells missing are samples; a column that the table lacks is missing in all rows.</remarks>
    /// <param name="rows">A table with columns of the schema; others are left alone.</param>
    /// <param name="draws">How many draws for a row; at least 2.</param>
    /// <param name="tables">How many tables, for statistics that should know how uncertain the missing cells are; at least 1.</param>
    /// <param name="seed">Fixes the draws.</param>
    /// <param name="progress">Hears from time to time how many rows are done.</param>
    /// <param name="cancellationToken">Ends the call between two groups of rows.</param>
    /// <exception cref="ArgumentException">A column is of another kind, or a value is none that the schema allows.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public TableImputation Impute(Table rows, int draws = 256, int tables = 1, long seed = 0, IProgress<long>? progress = null,
        CancellationToken cancellationToken = default)
    {
        const string owner = $"{nameof(TableFlow)}.{nameof(Impute)}";
        CheckDraws(draws);
        ArgumentOutOfRangeException.ThrowIfLessThan(tables, 1);
        using var held = flow.Held();
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        using var generator = RandomSource.New(seed);
        var coded = TableCodes.Of(rows, codecs, mayLack: true, owner);
        coded.RefuseForeign(rows, owner);
        var (logProb, errors) = (new double[coded.Rows], new double[coded.Rows]);
        var effective = Enumerable.Repeat((double)draws, coded.Rows).ToArray();
        var exact = Enumerable.Repeat(true, coded.Rows).ToArray();
        var filled = Enumerable.Range(0, tables).Select(_ => (double[])coded.Codes.Clone()).ToArray();
        var pace = new Pace(progress, cancellationToken);
        foreach (var (row, terms) in CompleteRows(coded, pace)) logProb[row] = terms.Sum() + coded.LogDet(row);
        foreach (var done in Completions(coded, draws, generator, pace))
        {
            var row = done.Row;
            (logProb[row], errors[row]) = (done.LogProb + coded.LogDet(row), done.StandardError);
            (effective[row], exact[row]) = (done.EffectiveSampleSize, done.IsExact);
            var chosen = Noise.Uniform([tables], float64, CPU, generator).FetchDoubles();
            for (var t = 0; t < tables; t++)
                done.Codes.AsSpan(Place(done.Weights(), chosen[t]) * coded.Columns, coded.Columns)
                    .CopyTo(filled[t].AsSpan(row * coded.Columns));
        }
        return new(Array.ConvertAll(filled, f => Rest(rows, ToTable(f))), draws, logProb, errors, effective, exact);
    }

    /// <summary>The probabilities of the values of a column of categories or levels, given the other known cells of each row: what a
    /// classifier gives. Cells of the column itself are not looked at.</summary>
    /// <param name="rows">A table with columns of the schema.</param>
    /// <param name="column">The column.</param>
    /// <param name="draws">How many draws for a row with other missing cells; at least 2.</param>
    /// <param name="seed">Fixes them.</param>
    /// <param name="progress">Hears from time to time how many rows are done.</param>
    /// <param name="cancellationToken">Ends the call between two groups of rows.</param>
    /// <returns>For each row a probability for each value, in the order of <see cref="ValuesOf"/>. Exact if no other cell of
    /// the row is missing, or only what comes behind the column and all known cells.</returns>
    /// <exception cref="ArgumentException">The column is not one of categories or levels.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public double[,] Probabilities(Table rows, string column, int draws = 256, long seed = 0, IProgress<long>? progress = null,
        CancellationToken cancellationToken = default)
    {
        const string owner = $"{nameof(TableFlow)}.{nameof(Probabilities)}";
        CheckDraws(draws);
        using var held = flow.Held();
        ArgumentNullException.ThrowIfNull(rows);
        var values = ValuesOf(column).Count;
        var place = Array.FindIndex(codecs, c => c.Schema.Name == column);
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        using var generator = RandomSource.New(seed);
        var coded = TableCodes.Of(rows.Find(column) is null || rows.Names.Count == 1 ? rows : rows.Without(column), codecs, mayLack: true,
            owner);
        if (rows.Names.Count == 1) for (var r = 0; r < coded.Rows; r++) coded.Known[(r * coded.Columns) + place] = false;
        coded.RefuseForeign(rows, owner);
        var result = new double[coded.Rows, values];
        foreach (var done in Completions(coded, draws, generator, new Pace(progress, cancellationToken)))
        {
            var weights = done.Weights();
            for (var i = 0; i < weights.Length; i++) result[done.Row, (int)done.Codes[(i * coded.Columns) + place]] += weights[i];
        }
        return result;
    }

    /// <summary>The values of a column of categories or levels in the order of <see cref="Probabilities"/>: names by their characters,
    /// numbers by size.</summary>
    /// <param name="column">The column.</param>
    /// <exception cref="ArgumentException">The column is not one of categories or levels.</exception>
    public IReadOnlyList<string> ValuesOf(string column)
    {
        _ = Schema[column];
        return columns.First(c => c.Schema.Name == column).Names
            ?? throw new ArgumentException(
                $"Column '{column}' is a {Schema[column].Kind}; only categories and levels have a list of values.", nameof(column));
    }

    private IEnumerable<RowCompletion> Completions(TableCodes coded, int draws, Generator generator, Pace pace)
    {
        var incomplete = Enumerable.Range(0, coded.Rows).Where(r => !coded.IsComplete(r)).ToArray();
        foreach (var part in incomplete.Where(r => Combinations(coded, r) is > 0 and <= MostTries).Chunk(64))
        {
            foreach (var row in part) yield return Tried(coded, row);
            pace.Done(part.Length);
        }
        foreach (var part in incomplete.Where(r => Combinations(coded, r) is 0 or > MostTries).Chunk(Math.Max(1, RowsAtATime * 2 / draws)))
        {
            foreach (var done in Drawn(coded, part, draws, generator)) yield return done;
            pace.Done(part.Length);
        }
    }

    // how many ways there are to fill a row in; 0 if there is no end of them
    private long Combinations(TableCodes coded, int row)
    {
        long product = 1;
        for (var c = 0; c < coded.Columns && product <= MostTries; c++)
            if (!coded.Known[(row * coded.Columns) + c]) product *= codecs[c].Head.Kind == HeadKind.Softmax ? codecs[c].Head.Levels : 0;
        return product;
    }

    // all ways, each with its probability
    private RowCompletion Tried(TableCodes coded, int row)
    {
        using var scope = NewDisposeScope();
        var (ways, width) = ((int)Combinations(coded, row), coded.Columns);
        var tries = new double[ways * width];
        for (var way = 0; way < ways; way++)
        {
            var rest = way;
            for (var c = 0; c < width; c++)
            {
                var at = (row * width) + c;
                tries[(way * width) + c] = double.IsNaN(coded.Codes[at]) ? 0 : coded.Codes[at];
                if (coded.Known[at]) continue;
                (rest, tries[(way * width) + c]) = Math.DivRem(rest, codecs[c].Head.Levels);
            }
        }
        var codes = tensor(tries, [ways, width], dtype: Dtype, device: CPU);
        var log = layer.Terms(codes, ones_like(codes)).to(float64).sum([1L]);
        return new(row, tries, log.FetchDoubles())
        {
            LogProb = log.logsumexp(0).FetchDouble(), StandardError = 0, EffectiveSampleSize = ways, IsExact = true,
        };
    }

    private RowCompletion[] Drawn(TableCodes coded, int[] rows, int draws, Generator generator)
    {
        using var scope = NewDisposeScope();
        var (some, there) = coded.ToTensors(rows);
        var codes = some.to(Dtype).repeat_interleave(draws, 0);
        var known = there.to(Dtype).repeat_interleave(draws, 0);
        var filled = Filled(codes, known, generator);
        var log = layer.Terms(filled, ones_like(filled)).to(float64).mul(known).sum([1L]).FetchDoubles();
        var all = filled.FetchDoubles();
        return [.. rows.Select((row, i) =>
        {
            var weights = log[(i * draws)..((i + 1) * draws)];
            var own = all[(i * draws * coded.Columns)..((i + 1) * draws * coded.Columns)];
            // nothing known stands behind what is missing: all weights are one
            var knownHere = coded.Known.AsSpan(row * coded.Columns, coded.Columns);
            if (knownHere.LastIndexOf(true) < knownHere.IndexOf(false))
                return new RowCompletion(row, own, new double[draws])
                {
                    LogProb = weights[0], StandardError = 0, EffectiveSampleSize = draws, IsExact = true,
                };
            var sums = new WeightSums();
            foreach (var weight in weights) sums.Add(weight);
            var estimate = sums.Estimate();
            return new RowCompletion(row, own, weights)
            {
                LogProb = estimate.LogZ, StandardError = estimate.StandardError, EffectiveSampleSize = estimate.EffectiveSampleSize,
                IsExact = false,
            };
        })];
    }

    private static int Place(double[] weights, double u)
    {
        for (var i = 0; i < weights.Length - 1; i++)
            if ((u -= weights[i]) < 0) return i;
        return weights.Length - 1;
    }

    // known cells, and columns that the schema does not name, stay as they are
    private Table Rest(Table given, Table filled) => Table.FromColumns([
        .. filled.Names.Select(n => (n, given.Find(n) is { } known ? known.FilledBy(filled[n]) : filled[n])),
        .. given.Names.Where(n => Schema.Columns.All(c => c.Name != n)).Select(n => (n, given[n]))]);
}
