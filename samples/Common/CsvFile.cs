using TorchSharp;

namespace RealNvp.Samples.Common;

/// <summary>A CSV file as it was read, before it is known which columns shall be numbers.</summary>
public sealed class CsvFile
{
    private const int Told = 10;

    private readonly List<string> notes = [];

    internal CsvFile(string path, IReadOnlyList<CsvColumn> columns, IReadOnlyList<int> lines, bool hasHeader) =>
        (Path, Columns, Lines, HasHeader) = (path, columns, lines, hasHeader);

    /// <summary>The path that was read.</summary>
    public string Path { get; }

    /// <summary>The columns in the order of the file, all names different.</summary>
    public IReadOnlyList<CsvColumn> Columns { get; internal set; }

    /// <summary>The line that each row begins in, from 1.</summary>
    public IReadOnlyList<int> Lines { get; }

    /// <summary>False if the columns have no names of their own, but are called column1, column2, ...</summary>
    public bool HasHeader { get; }

    /// <summary>What was found out about the file that its user should know; whole sentences.</summary>
    public IReadOnlyList<string> Notes => notes;

    /// <summary>Finds a column.</summary>
    /// <param name="name">Its name, exactly as in the header.</param>
    /// <exception cref="ArgumentException">There is no such column.</exception>
    public CsvColumn Column(string name) => Columns.FirstOrDefault(c => c.Name == name)
        ?? throw new ArgumentException($"{Path} has no column '{name}'; the columns are {string.Join(", ", Columns.Select(c => c.Name))}.",
            nameof(name));

    /// <summary>Makes a table of numbers.</summary>
    /// <param name="names">The columns to take, in this order; null takes all.</param>
    /// <returns>The table, which the caller disposes.</returns>
    /// <exception cref="ArgumentException">There is no such column.</exception>
    /// <exception cref="DataFormatException">Values are missing or are no finite
    /// numbers; the message names rows and columns, several at once.</exception>
    public CsvTable ToTable(IReadOnlyList<string>? names = null)
    {
        var columns = names is null ? Columns : [.. names.Select(Column)];
        Refuse(columns);
        var values = new double[(long)Lines.Count * columns.Count];
        for (var c = 0; c < columns.Count; c++)
            for (var row = 0; row < Lines.Count; row++) values[((long)row * columns.Count) + c] = columns[c].Number(row);
        return new CsvTable([.. columns.Select(c => c.Name)], torch.tensor(values, Lines.Count, columns.Count));
    }

    internal void Note(string sentence) => notes.Add(sentence);

    internal string At(int row, CsvColumn column, bool path = true) =>
        $"{(path ? $"{Path}, " : "")}line {Lines[row]}, column '{column.Name}'";

    private void Refuse(IReadOnlyList<CsvColumn> columns)
    {
        var words = columns.Where(c => c.IsWords).ToArray();
        var faults = columns.Except(words).SelectMany(c => c.Texts.Select(t => (Row: t.Key, Column: c))).OrderBy(f => f.Row).ToArray();
        List<string> told =
            [.. words.Take(Told)
                .Select(c =>
                $"column '{c.Name}' holds words, such as '{c.Texts.Values.First(t => t.Length > 0)}', and no number; leave it out, or " +
                $"write it as numbers")];
        told.AddRange(faults.Take(Told).Select(f => f.Column.IsMissing(f.Row)
            ? $"{At(f.Row, f.Column, path: false)}: the value is " +
                $"missing{(f.Column.Text(f.Row) is { Length: > 0 } sign ? $" ('{sign}')" : "")}"
            : $"{At(f.Row, f.Column, path: false)}: '{f.Column.Text(f.Row)}' is no finite number with a decimal point"));
        if (told.Count == 0) return;
        if (faults.Length > Told)
        {
            var counts = faults.CountBy(f => f.Column.Name).OrderByDescending(c => c.Value).ToArray();
            var listed = string.Join(", ", counts.Take(Told).Select(c => $"{c.Value} in '{c.Key}'"));
            told.Add($"and {faults.Length - Told} more; in all {listed}" +
                (counts.Length > Told ? $" and {counts.Length - Told} more columns" : ""));
        }
        throw new DataFormatException(
            $"{Path}, {string.Join("; ", told)}." +
            (faults.Length > 0 ? " Remove these rows or columns, or fill the values in, before the file is read." : ""));
    }
}
