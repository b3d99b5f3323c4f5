using RealNvp.Internal;
using RealNvp.Tables;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>What is missing, given what is known.</content>
public sealed partial class TableFlow
{
    private const int MostTries = 1024, MostWays = 2 * RowsAtATime;

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
        // all cells are wanted; a draw for each table is enough if it is one of p(missing | known)
        foreach (var done in Completions(coded, coded.Columns - 1, draws, tables, generator, pace))
        {
            var row = done.Row;
            (logProb[row], errors[row]) = (done.LogProb + coded.LogDet(row), done.StandardError);
            (effective[row], exact[row]) = (done.EffectiveSampleSize, done.IsExact);
            var chosen = Noise.Uniform([tables], float64, CPU, generator).FetchDoubles();
            for (var t = 0; t < tables; t++)
                done.Codes.AsSpan((done.AreDraws ? t : Place(done.Weights(), chosen[t])) * coded.Columns, coded.Columns)
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
        foreach (var done in Completions(coded, place, draws, draws, generator, new Pace(progress, cancellationToken)))
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

    /// <summary>Rows with missing cells, filled in up to the last cell that matters: what stands behind it sums to one.</summary>
    /// <param name="coded">The rows.</param>
    /// <param name="wanted">A column that matters in all rows, beside the known ones; −1 for none.</param>
    /// <param name="draws">How many draws for a row that is not exact.</param>
    /// <param name="exact">How many if all draws are of p(missing | known) itself.</param>
    /// <param name="generator">Draws.</param>
    /// <param name="pace">Hears of rows.</param>
    private IEnumerable<RowCompletion> Completions(TableCodes coded, int wanted, int draws, int exact, Generator generator, Pace pace)
    {
        var incomplete = Enumerable.Range(0, coded.Rows).Where(r => !coded.IsComplete(r)).ToArray();
        var few = incomplete.ToLookup(r => Combinations(coded, r, wanted) is > 0 and <= MostTries);
        for (var (rows, start) = (few[true].ToArray(), 0); start < rows.Length;)
        {
            var (end, ways) = (start, 0L);
            while (end < rows.Length && (end == start || ways < MostWays)) ways += Combinations(coded, rows[end++], wanted);
            foreach (var done in Tried(coded, rows[start..end], wanted)) yield return done;
            pace.Done(end - start);
            start = end;
        }
        foreach (var group in few[false].GroupBy(coded.LacksTheLastAlone))
            foreach (var part in group.Chunk(Math.Max(1, MostWays / (group.Key ? exact : draws))))
            {
                foreach (var done in Drawn(coded, part, group.Key, group.Key ? exact : draws, draws, generator)) yield return done;
                pace.Done(part.Length);
            }
    }

    // how many ways there are to fill a row in up to the last cell that matters; 0 if there is no end of them
    private long Combinations(TableCodes coded, int row, int wanted)
    {
        long product = 1;
        var last = Math.Max(wanted, coded.LastKnown(row));
        for (var c = 0; c <= last && product <= MostTries; c++)
            if (!coded.Known[(row * coded.Columns) + c]) product *= codecs[c].Head.Kind == HeadKind.Softmax ? codecs[c].Head.Levels : 0;
        return product;
    }

    // all ways of some rows, each with its probability
    private List<RowCompletion> Tried(TableCodes coded, int[] rows, int wanted)
    {
        using var scope = NewDisposeScope();
        var (width, each) = (coded.Columns, Array.ConvertAll(rows, r => (int)Combinations(coded, r, wanted)));
        var tries = new double[each.Sum() * width];
        var at = 0;
        for (var i = 0; i < rows.Length; i++)
            for (var way = 0; way < each[i]; way++, at += width)
            {
                var (rest, last) = (way, Math.Max(wanted, coded.LastKnown(rows[i])));
                for (var c = 0; c < width; c++)
                {
                    var from = (rows[i] * width) + c;
                    tries[at + c] = double.IsNaN(coded.Codes[from]) ? 0 : coded.Codes[from];
                    if (!coded.Known[from] && c <= last) (rest, tries[at + c]) = Math.DivRem(rest, codecs[c].Head.Levels);
                }
            }
        var codes = tensor(tries, [tries.Length / width, width], dtype: Dtype, device: CPU);
        var terms = layer.Terms(codes, ones_like(codes)).FetchDoubles();
        var (done, first) = (new List<RowCompletion>(rows.Length), 0);
        for (var i = 0; i < rows.Length; first += each[i++])
        {
            var matter = Math.Max(wanted, coded.LastKnown(rows[i])) + 1;
            var log = new double[each[i]];
            for (var way = 0; way < log.Length; way++)
                foreach (var term in terms.AsSpan((first + way) * width, matter)) log[way] += term;
            var most = log.Max();
            done.Add(new(rows[i], tries[(first * width)..((first + each[i]) * width)], log)
            {
                LogProb = double.IsNegativeInfinity(most) ? most : most + Math.Log(log.Sum(l => Math.Exp(l - most))), StandardError = 0,
                EffectiveSampleSize = log.Length, IsExact = true,
            });
        }
        return done;
    }

    private RowCompletion[] Drawn(TableCodes coded, int[] rows, bool areExact, int draws, int worth, Generator generator)
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
            if (areExact)
                return new RowCompletion(row, own, new double[draws])
                {
                    LogProb = weights[0], StandardError = 0, EffectiveSampleSize = worth, IsExact = true, AreDraws = true,
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
