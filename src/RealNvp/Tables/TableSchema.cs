using RealNvp.Internal;
using RealNvp.Tables;

namespace RealNvp;

/// <summary>What the columns of a table are. A person writes it in a few lines, or it is proposed from the data and shown.</summary>
/// <remarks>
/// <c>TableSchema.Of(ColumnSchema.Category("sex"), ColumnSchema.Whole("age", lower: 0), ColumnSchema.Number("fare", lower: 0))</c>, or
/// <c>var schema = TableSchema.Propose(table); Console.WriteLine(schema);</c>. Columns of a table that a schema does not name are left
/// alone.
/// </remarks>
public sealed class TableSchema
{
    private TableSchema(IReadOnlyList<ColumnSchema> columns, IReadOnlyList<string> notes) =>
        (Columns, Notes) = (Listed<ColumnSchema>.Of(columns)!, Listed<string>.Of(notes)!);

    /// <summary>The columns, in order.</summary>
    public IReadOnlyList<ColumnSchema> Columns { get; }

    /// <summary>What was left out of a proposal and why, in sentences; empty if there is nothing to say.</summary>
    public IReadOnlyList<string> Notes { get; }

    /// <summary>A column by its name.</summary>
    /// <exception cref="KeyNotFoundException">There is no such column.</exception>
    public ColumnSchema this[string name] => Columns.FirstOrDefault(c => c.Name == name)
        ?? throw new KeyNotFoundException(
            $"The schema has no column '{name}'. Columns are {string.Join(", ", Columns.Select(c => c.Name))}.");

    /// <summary>A schema of columns.</summary>
    /// <param name="columns">At least one, each with a name of its own.</param>
    /// <exception cref="ArgumentException">No column, a name twice, or values that do not go together; the message names the
    /// column.</exception>
    public static TableSchema Of(params IReadOnlyList<ColumnSchema> columns) => Checked(columns, []);

    /// <summary>Looks at the data and says what each column seems to be, and why.</summary>
    /// <remarks>Texts and booleans are categories, of few different numbers each is a level, whole numbers and rounded ones are integers
    /// of a
    /// step; of others bounds, heavy tails and repeated values are looked for. Texts that are all different, such as names, are left
    /// out, and so are dates and times.</remarks>
    /// <param name="table">The data, at least one row.</param>
    public static TableSchema Propose(Table table)
    {
        ArgumentNullException.ThrowIfNull(table);
        var notes = new List<string>();
        var columns = table.Names.Select(n => ColumnProposal.Of(n, table[n], notes)).OfType<ColumnSchema>().ToArray();
        if (columns.Length == 0)
            throw new ArgumentException($"No column of the table can be described. {string.Join(' ', notes)}", nameof(table));
        return Checked(columns, notes);
    }

    /// <summary>The schema with a column in the place of that of the same name, or behind all others.</summary>
    /// <param name="column">The column.</param>
    public TableSchema With(ColumnSchema column)
    {
        ArgumentNullException.ThrowIfNull(column);
        var there = Columns.Any(c => c.Name == column.Name);
        return Checked(there ? [.. Columns.Select(c => c.Name == column.Name ? column : c)] : [.. Columns, column], Notes);
    }

    /// <summary>The schema without a column.</summary>
    /// <param name="name">Its name.</param>
    public TableSchema Without(string name)
    {
        _ = this[name];
        return Checked([.. Columns.Where(c => c.Name != name)], Notes);
    }

    /// <summary>A line for each column, and the notes.</summary>
    public override string ToString() => string.Join('\n', [.. Columns.Select(c => c.ToString()), .. Notes]);

    private static TableSchema Checked(IReadOnlyList<ColumnSchema> columns, IReadOnlyList<string> notes)
    {
        ArgumentNullException.ThrowIfNull(columns);
        if (columns.Count == 0) throw new ArgumentException("A schema needs at least one column.", nameof(columns));
        foreach (var column in columns)
        {
            if (column is null) throw new ArgumentNullException(nameof(columns), "A column of the schema is null.");
            column.Validate();
        }
        if (NameCheck.Twice(columns.Select(c => c.Name)) is { } twice)
            throw new ArgumentException($"Two columns are called '{twice}'. Rename one.", nameof(columns));
        return new(columns, notes);
    }
}
