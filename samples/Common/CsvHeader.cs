namespace RealNvp.Samples.Common;

/// <summary>Names of columns: whether the first line holds them, and what becomes of those that lack one.</summary>
internal static class CsvHeader
{
    public static bool AllNumbers(List<string> fields) =>
        fields.Exists(f => f.Length > 0) && fields.TrueForAll(f => f.Length == 0 || CsvColumn.IsNumber(f));

    public static bool Is(string path, List<string> first, List<string> second)
    {
        if (AllNumbers(first)) return false;
        if (!first.Exists(CsvColumn.IsNumber)) return true;
        // words and numbers: a row with a label, or names such as years
        if (first.Count == second.Count && first.Zip(second).All(p => CsvColumn.IsNumber(p.First) == CsvColumn.IsNumber(p.Second)))
            throw new DataFormatException(
                $"{path}: the first line looks like the second, with numbers in the same columns. Say whether it is a header: yes or no.");
        return true;
    }

    public static List<string> Names(string path, List<string> names)
    {
        foreach (var group in names.Where(n => n.Length > 0).GroupBy(n => n).Where(g => g.Count() > 1))
            throw new DataFormatException(
                $"{path}: the header has the name '{group.Key}' {(group.Count() == 2 ? "twice" : $"{group.Count()} times")}. Give each " +
                $"column a name of its own.");
        return names;
    }

    public static IEnumerable<string> Numbered(int count) => Enumerable.Range(1, count).Select(i => $"column{i}");

    /// <summary>Columns without a name: empty ones are left out, as are row numbers; others are called after their place.</summary>
    public static void NameTheRest(CsvFile file)
    {
        List<CsvColumn> kept = [];
        for (var i = 0; i < file.Columns.Count; i++)
        {
            var column = file.Columns[i];
            if (column.Name.Length > 0) kept.Add(column);
            else if (column.Texts.Count == column.Count && column.Texts.Values.All(t => t.Length == 0))
                file.Note($"Column {i + 1} has neither a name nor a value, and is left out.");
            else if (column.CountsRows) file.Note($"Column {i + 1} has no name and counts the rows; it is left out.");
            else
            {
                column.Name = $"column{i + 1}";
                if (file.Columns.Any(c => c != column && c.Name == column.Name))
                    throw new DataFormatException($"{file.Path}: column {i + 1} of the header has no name. Give it one.");
                file.Note($"Column {i + 1} has no name; it is called {column.Name}.");
                kept.Add(column);
            }
        }
        if (kept.Count == 0) throw new DataFormatException($"{file.Path} has no column with a name or a value.");
        file.Columns = kept;
    }
}
