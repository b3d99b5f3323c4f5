using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tables;

/// <summary>The rows of a table as codes, in the order of the density.</summary>
internal sealed class TableCodes
{
    private readonly ColumnCodec[] codecs;

    private TableCodes(ColumnCodec[] codecs, int rows)
    {
        (this.codecs, Rows) = (codecs, rows);
        Codes = new double[rows * codecs.Length];
        Known = new bool[rows * codecs.Length];
        LogDets = new double[rows * codecs.Length];
    }

    public int Rows { get; }

    public int Columns => codecs.Length;

    /// <summary>Row by row; 0 for a missing cell, and NaN for a value outside of the support.</summary>
    public double[] Codes { get; }

    public bool[] Known { get; }

    /// <summary>log|d code/d value| of each known cell.</summary>
    public double[] LogDets { get; }

    /// <summary>Codes the columns of a table.</summary>
    /// <param name="table">The table.</param>
    /// <param name="codecs">In the order of the density.</param>
    /// <param name="mayLack">Whether a column may be absent, and then has missing cells alone.</param>
    /// <param name="owner">The method that was called.</param>
    /// <exception cref="ArgumentException">A column is absent, or of another kind; the message names it.</exception>
    public static TableCodes Of(Table table, ColumnCodec[] codecs, bool mayLack, string owner)
    {
        ArgumentNullException.ThrowIfNull(table);
        if (table.RowCount > Array.MaxLength / codecs.Length)
            throw new ArgumentException(
                $"{owner} takes at most {Array.MaxLength / codecs.Length} rows of {codecs.Length} columns at a time; got " +
                $"{table.RowCount}.", nameof(table));
        var coded = new TableCodes(codecs, table.RowCount);
        for (var c = 0; c < codecs.Length; c++)
        {
            var codec = codecs[c];
            if (table.Find(codec.Schema.Name) is { } column) coded.Add(c, codec, column, nameof(table), owner);
            else if (!mayLack)
                throw new ArgumentException($"{owner} needs column '{codec.Schema.Name}'; the table has {string.Join(", ", table.Names)}.",
                    nameof(table));
        }
        return coded;
    }

    /// <summary>The place of the last known cell of a row in the order of the density; −1 if all are missing.</summary>
    public int LastKnown(int row) => Known.AsSpan(row * Columns, Columns).LastIndexOf(true);

    /// <summary>Whether no known cell of a row with missing ones stands behind one of these.</summary>
    public bool LacksTheLastAlone(int row) => LastKnown(row) < Known.AsSpan(row * Columns, Columns).IndexOf(false);

    public bool IsComplete(int row) => Known.AsSpan(row * Columns, Columns).IndexOf(false) < 0;

    /// <summary>The sum of the log-derivatives of a row's known cells; minus infinity if a value is outside of the support.</summary>
    public double LogDet(int row)
    {
        var sum = 0.0;
        for (var i = row * Columns; i < (row + 1) * Columns; i++)
        {
            if (double.IsNaN(Codes[i])) return double.NegativeInfinity;
            sum += LogDets[i];
        }
        return sum;
    }

    /// <summary>Codes and knowledge of some rows, (N, C) each in float64, with 0 in the place of NaN.</summary>
    public (Tensor Codes, Tensor Known) ToTensors(ReadOnlySpan<int> rows)
    {
        var (codes, known) = (new double[rows.Length * Columns], new double[rows.Length * Columns]);
        for (var r = 0; r < rows.Length; r++)
            for (var c = 0; c < Columns; c++)
            {
                var (to, from) = ((r * Columns) + c, (rows[r] * Columns) + c);
                codes[to] = double.IsNaN(Codes[from]) ? 0 : Codes[from];
                known[to] = Known[from] ? 1 : 0;
            }
        return (tensor(codes, [rows.Length, Columns], device: CPU), tensor(known, [rows.Length, Columns], device: CPU));
    }

    /// <summary>Adds the rows to what a fit is of: also in other units, whose codes are the same.</summary>
    public FitIdentity Identify(FitIdentity identity) => identity.With("rows", RowDigest.Of(Rows, [Columns],
        [Codes, LogDets, Array.ConvertAll(Known, known => known ? 1.0 : 0)]));

    /// <summary>Throws if a value is outside of the support of its column.</summary>
    public void RefuseForeign(Table table, string owner)
    {
        var at = Array.FindIndex(Codes, double.IsNaN);
        if (at < 0) return;
        var codec = codecs[at % Columns];
        var value = Convert.ToString(table[codec.Schema.Name][at / Columns], CultureInfo.InvariantCulture);
        throw new ArgumentException($"{owner}: row {at / Columns}, column '{codec.Schema.Name}' is {value}, but the schema says " +
            $"{codec.Allowed}. Change the schema, or leave the row out.", nameof(table));
    }

    private void Add(int c, ColumnCodec codec, TableColumn column, string parameter, string owner)
    {
        if (column.MissingCount == column.Count) return;
        var isCategory = codec.Schema.Kind == TableColumnKind.Category;
        if (isCategory != (column.Kind != TableCellKind.Number))
            throw new ArgumentException(
                $"{owner}: column '{codec.Schema.Name}' has cells of kind {column.Kind}; the schema says it is a {codec.Schema.Kind}.",
                parameter);
        var texts = isCategory ? column.ToTexts() : null;
        var numbers = isCategory ? null : column.ToNumbers();
        for (var r = 0; r < Rows; r++)
        {
            if (column.IsMissing(r)) continue;
            var i = (r * Columns) + c;
            Known[i] = true;
            (Codes[i], LogDets[i]) = texts is null ? codec.Encode(numbers![r]) : codec.Encode(texts[r]!);
        }
    }
}
