using System.Text.RegularExpressions;

namespace RealNvp.Samples.Common;

/// <summary>Finds out whether the numbers of a file have a decimal point or
/// a decimal comma. What is open is asked, never guessed.</summary>
internal static partial class CsvDecimals
{
    public static void Resolve(CsvFile file, char? given)
    {
        var (column, row) = FirstComma(file.Columns);
        if (given == ',')
        {
            if (file.Columns.FirstOrDefault(c => c.FirstPoint >= 0) is { } pointed)
                throw new DataFormatException(
                    $"{file.At(pointed.FirstPoint, pointed)}: a number has a decimal point, but decimal commas were asked for. Write " +
                    $"thousands without a mark.");
            foreach (var c in file.Columns) c.ReadCommas();
            return;
        }
        if (given == '.' || column is null) return;
        if (file.Columns.FirstOrDefault(c => c.FirstPoint >= 0) is { } other)
            throw new DataFormatException(
                $"{file.Path} has numbers with a comma ({file.At(row, column, path: false)}: '{column.Text(row)}') and numbers with a " +
                $"point ({file.At(other.FirstPoint, other, path: false)}). "
                + "Write thousands without a mark, or say which the decimal mark is: point or comma.");
        var commas = file.Columns.SelectMany(c => c.Texts.Values.Where(t => CsvColumn.TryParseComma(t, out _)));
        if (commas.All(t => Thousands().IsMatch(t)))
            throw new DataFormatException(
                $"{file.At(row, column)}: '{column.Text(row)}' may have a decimal comma or a mark of thousands. Say that the decimal " +
                $"mark is a comma, or write thousands without a mark.");
        foreach (var c in file.Columns) c.ReadCommas();
        file.Note($"Numbers have a decimal comma, such as {column.Name} in line {file.Lines[row]}.");
    }

    private static (CsvColumn? Column, int Row) FirstComma(IEnumerable<CsvColumn> columns)
    {
        foreach (var column in columns)
            foreach (var (row, text) in column.Texts)
                if (CsvColumn.TryParseComma(text, out _)) return (column, row);
        return (null, -1);
    }

    [GeneratedRegex(@"^[+-]?[1-9]\d{0,2},\d{3}$")]
    private static partial Regex Thousands();
}
