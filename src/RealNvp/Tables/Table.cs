using System.Globalization;
using System.Text;
using RealNvp.Internal;

namespace RealNvp;

/// <summary>A table with columns of several kinds: numbers, texts, booleans, with missing cells. It does not change.</summary>
/// <remarks><c>var table = Table.FromColumns(("age", ages), ("sex", sexes), ("survived", survived));</c></remarks>
public sealed partial class Table
{
    private const int ShownRows = 5;

    private readonly TableColumn[] columns;
    private readonly Dictionary<string, int> places;

    private Table(IReadOnlyList<string> names, TableColumn[] columns, int rows)
    {
        (Names, this.columns, RowCount) = (Listed<string>.Of(names)!, columns, rows);
        places = names.Select((n, i) => (n, i)).ToDictionary(p => p.n, p => p.i, StringComparer.Ordinal);
    }

    /// <summary>The names of the columns, in order.</summary>
    public IReadOnlyList<string> Names { get; }

    /// <summary>The number of rows.</summary>
    public int RowCount { get; }

    /// <summary>A column by its name.</summary>
    /// <exception cref="KeyNotFoundException">There is no such column; the message names those that there are.</exception>
    public TableColumn this[string name] => Find(name ?? throw new ArgumentNullException(nameof(name)))
        ?? throw new KeyNotFoundException($"There is no column '{name}'. Columns are {string.Join(", ", Names)}.");

    /// <summary>Makes a table of columns of one length.</summary>
    /// <param name="columns">Names and arrays; at least one.</param>
    /// <exception cref="ArgumentException">No column, an empty or repeated name, or columns of different lengths.</exception>
    public static Table FromColumns(params IReadOnlyList<(string Name, TableColumn Values)> columns)
    {
        ArgumentNullException.ThrowIfNull(columns);
        if (columns.Count == 0) throw new ArgumentException("A table needs at least one column.", nameof(columns));
        foreach (var (name, values) in columns)
        {
            if (string.IsNullOrWhiteSpace(name)) throw new ArgumentException("A column has no name.", nameof(columns));
            if (values is null) throw new ArgumentNullException(nameof(columns), $"Column '{name}' is null.");
            if (values.Count != columns[0].Values.Count)
                throw new ArgumentException($"All columns have as many cells as the first one, '{columns[0].Name}', which has " +
                    $"{columns[0].Values.Count}; '{name}' has {values.Count}.", nameof(columns));
        }
        if (NameCheck.Twice(columns.Select(c => c.Name)) is { } twice)
            throw new ArgumentException($"Two columns are called '{twice}'. Rename one.", nameof(columns));
        return new([.. columns.Select(c => c.Name)], [.. columns.Select(c => c.Values)], columns[0].Values.Count);
    }

    /// <summary>Some of the rows, in the order given.</summary>
    /// <param name="rows">Numbers from 0; a row may come more than once.</param>
    public Table Rows(params ReadOnlySpan<int> rows)
    {
        foreach (var row in rows)
            if (row < 0 || row >= RowCount)
                throw new ArgumentOutOfRangeException(nameof(rows), row, $"Rows are 0 to {RowCount - 1}.");
        var chosen = new TableColumn[columns.Length];
        for (var c = 0; c < chosen.Length; c++) chosen[c] = columns[c].Rows(rows);
        return new(Names, chosen, rows.Length);
    }

    /// <summary>The table with another column, or with one in the place of that of the same name.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="values">As many cells as there are rows.</param>
    public Table With(string name, TableColumn values)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(values);
        var all = Names.Select((n, i) => (Name: n, Values: n == name ? values : columns[i])).ToList();
        if (!places.ContainsKey(name)) all.Add((name, values));
        return FromColumns(all);
    }

    /// <summary>The table without a column.</summary>
    /// <param name="name">Its name.</param>
    public Table Without(string name)
    {
        _ = this[name];
        return FromColumns([.. Names.Where(n => n != name).Select(n => (n, this[n]))]);
    }

    /// <summary>The first rows, in columns of text.</summary>
    public override string ToString()
    {
        var shown = Math.Min(ShownRows, RowCount);
        var cells = Names.Select((n, c) => (string[])[n, .. Enumerable.Range(0, shown).Select(r => Shown(columns[c][r]))]).ToArray();
        var text = new StringBuilder();
        for (var line = 0; line <= shown; line++)
            text.AppendLine(string.Join("  ", cells.Select(c => c[line].PadLeft(c.Max(t => t.Length)))).TrimEnd());
        return text.Append(CultureInfo.InvariantCulture, $"{RowCount:N0} rows of {columns.Length:N0} columns").ToString();
    }

    internal TableColumn? Find(string name) => places.TryGetValue(name, out var place) ? columns[place] : null;

    private static string Shown(object? cell) => cell switch
    {
        null => "-",
        double number => number.ToString("G6", CultureInfo.InvariantCulture),
        bool yes => yes ? "true" : "false",
        _ => (string)cell,
    };
}
