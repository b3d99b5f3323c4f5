using System.Globalization;
using System.Text;
using TorchSharp;

namespace RealNvp.Samples.Common;

/// <summary>Reads tables of numbers with a header line. It is strict: what is no number is an error that names row and column.</summary>
/// <remarks>
/// Separators: comma, semicolon or tab, taken from the header unless given. Numbers have a decimal point, whatever the
/// computer's language. A field may be quoted; a doubled quote inside stands for one. A field does not span lines.
/// Lines may end in LF or CRLF; empty lines at the end are left out.
/// </remarks>
public static class Csv
{
    /// <summary>Reads a whole file.</summary>
    /// <param name="path">The file, UTF-8.</param>
    /// <param name="separator">Comma, semicolon or tab; null takes the one that is most frequent in the header.</param>
    /// <returns>The column names and the values, float64 (N, D), N and D at least 1. The caller disposes the table.</returns>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="ArgumentException"><paramref name="separator"/> is another character.</exception>
    /// <exception cref="DataFormatException">
    /// The header is missing, or has an empty or a repeated name; there is no row; a row has another number of fields than the
    /// header; or a field is missing, is no number, or is not finite.
    /// </exception>
    public static CsvTable Read(string path, char? separator = null)
    {
        if (separator is not (null or ',' or ';' or '\t'))
            throw new ArgumentException($"The separator is '{separator}'; expected a comma, a semicolon or a tab.", nameof(separator));
        if (!File.Exists(path)) throw new FileNotFoundException($"There is no file {path}.", path);
        using var reader = new StreamReader(path, Encoding.UTF8);
        var header = reader.ReadLine();
        if (string.IsNullOrWhiteSpace(header)) throw new DataFormatException($"{path}: the first line is empty; expected the names of the columns.");
        var mark = separator ?? Separator(header);
        var columns = Names(path, Fields(path, header, mark, 1));

        List<double> values = [];
        var emptyLine = 0;
        for (var line = 2; reader.ReadLine() is { } text; line++)
        {
            if (text.Length == 0)
            {
                if (emptyLine == 0) emptyLine = line;
                continue;
            }
            if (emptyLine > 0) throw new DataFormatException($"{path}: line {emptyLine} is empty, but lines follow it.");
            var fields = Fields(path, text, mark, line);
            if (fields.Count != columns.Count)
                throw new DataFormatException($"{path}, line {line} has {fields.Count} fields; expected {columns.Count}, as in the header (separator {Show(mark)}).");
            for (var c = 0; c < fields.Count; c++) values.Add(Number(path, line, columns[c], fields[c]));
        }
        if (values.Count == 0) throw new DataFormatException($"{path} has a header, but no row.");
        return new CsvTable(columns, torch.tensor(values.ToArray(), values.Count / columns.Count, columns.Count));
    }

    private static double Number(string path, int line, string column, string field)
    {
        if (double.TryParse(field.Trim(), NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && double.IsFinite(value)) return value;
        var what = string.IsNullOrWhiteSpace(field) ? "the value is missing" : $"'{field}' is no finite number with a decimal point";
        throw new DataFormatException($"{path}, line {line}, column '{column}': {what}. Remove the row, or fill the value in, before the file is read.");
    }

    private static List<string> Names(string path, List<string> names)
    {
        for (var i = 0; i < names.Count; i++)
        {
            names[i] = names[i].Trim();
            if (names[i].Length == 0) throw new DataFormatException($"{path}: column {i + 1} of the header has no name.");
            if (names.IndexOf(names[i]) != i) throw new DataFormatException($"{path}: the header has the name '{names[i]}' twice.");
        }
        if (names.TrueForAll(n => double.TryParse(n, NumberStyles.Float, CultureInfo.InvariantCulture, out _)))
            throw new DataFormatException($"{path}: the first line holds only numbers; expected the names of the columns.");
        return names;
    }

    private static char Separator(string header)
    {
        var quoted = false;
        Dictionary<char, int> counts = new() { [','] = 0, [';'] = 0, ['\t'] = 0 };
        foreach (var c in header)
        {
            if (c == '"') quoted = !quoted;
            else if (!quoted && counts.TryGetValue(c, out var count)) counts[c] = count + 1;
        }
        return counts.MaxBy(p => p.Value).Key;
    }

    private static List<string> Fields(string path, string line, char separator, int number)
    {
        List<string> fields = [];
        for (var at = 0; ;)
        {
            var field = new StringBuilder();
            if (at < line.Length && line[at] == '"')
            {
                for (at++; ; at++)
                {
                    if (at >= line.Length) throw new DataFormatException($"{path}, line {number}: a quoted field has no closing quote.");
                    if (line[at] != '"') field.Append(line[at]);
                    else if (at + 1 < line.Length && line[at + 1] == '"') field.Append(line[at++]);
                    else break;
                }
                at++;
                if (at < line.Length && line[at] != separator)
                    throw new DataFormatException($"{path}, line {number}: '{line[at]}' follows a closing quote; expected {Show(separator)} or the end of the line.");
            }
            else
            {
                while (at < line.Length && line[at] != separator) field.Append(line[at++]);
            }
            fields.Add(field.ToString());
            if (at >= line.Length) return fields;
            at++;
        }
    }

    private static string Show(char separator) => separator switch { ',' => "a comma", ';' => "a semicolon", _ => "a tab" };
}
