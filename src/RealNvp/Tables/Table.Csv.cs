using System.Globalization;
using System.Text;
using RealNvp.Internal;

namespace RealNvp;

/// <content>Tables in text files.</content>
public sealed partial class Table
{
    private static readonly char[] separators = [',', ';', '\t'];
    private static readonly NumberFormatInfo comma = new() { NumberDecimalSeparator = ",", NumberGroupSeparator = "." };
    private static readonly HashSet<string> missing = new(StringComparer.Ordinal) { "", "NA", "N/A", "NaN", "nan", "null", "NULL", "?" };

    /// <summary>Reads a file of values with a separator between them, whose first line has the names of the columns.</summary>
    /// <remarks>A column whose values are all numbers, such as 1234.5 or 1e-3 whatever the culture is, is one of numbers; one of true and
    /// false alone is one of booleans; any other one of texts. Empty values, NA, N/A, NaN, null and ? without quotes are missing. Values
    /// may be quoted. A spreadsheet of Germany or France writes <c>1234,5</c> between semicolons: give ',' as the decimal point.</remarks>
    /// <param name="path">The file, UTF-8; of another encoding, give a reader of it.</param>
    /// <param name="separator">What stands between values; null for that of comma, semicolon and tab
    /// which the first line has most of.</param>
    /// <param name="decimalPoint">What stands before the decimals of a number, a point or a comma.</param>
    /// <exception cref="InvalidDataException">A line has another number of values, two columns have one name, or the file is not UTF-8;
    /// the message says where.</exception>
    /// <exception cref="ArgumentException">The separator is a quote, the end of a line or the decimal point.</exception>
    public static Table ReadCsv(string path, char? separator = null, char decimalPoint = '.')
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        CheckCharacters(separator, decimalPoint);
        using var reader = new StreamReader(path, new UTF8Encoding(false, throwOnInvalidBytes: true));
        try { return ReadCsv(reader, separator, decimalPoint); }
        catch (DecoderFallbackException e)
        {
            throw new InvalidDataException($"'{path}' is not UTF-8. Save it as UTF-8, or read it with its own encoding, for example: " +
                $"{nameof(Table)}.{nameof(ReadCsv)}(new StreamReader(path, Encoding.Latin1)).", e);
        }
    }

    /// <summary>Reads such a text from a reader, which stays open.</summary>
    /// <inheritdoc cref="ReadCsv(string, char?, char)" path="/exception"/>
    /// <param name="reader">Stands at the line of names.</param>
    /// <param name="separator">What stands between values; null for that of comma, semicolon and tab
    /// which the first line has most of.</param>
    /// <param name="decimalPoint">What stands before the decimals of a number, a point or a comma.</param>
    public static Table ReadCsv(TextReader reader, char? separator = null, char decimalPoint = '.')
    {
        ArgumentNullException.ThrowIfNull(reader);
        CheckCharacters(separator, decimalPoint);
        if (separator is { } given) return Read(reader, given, decimalPoint);
        var text = reader.ReadToEnd();
        var first = text.Split('\n', 2)[0];
        return Read(new StringReader(text), separators.Where(s => s != decimalPoint).MaxBy(s => first.Count(c => c == s)), decimalPoint);
    }

    private static void CheckCharacters(char? separator, char decimalPoint)
    {
        if (decimalPoint is not ('.' or ','))
            throw new ArgumentException($"A decimal point is '.' or ','; got '{decimalPoint}'.", nameof(decimalPoint));
        if (separator is '"' or '\n' or '\r' || separator == decimalPoint)
            throw new ArgumentException($"A separator is neither a quote, nor the end of a line, nor the decimal point; got '{separator}'.",
                nameof(separator));
    }

    private static Table Read(TextReader reader, char separator, char decimalPoint)
    {
        var line = 1;
        var names = Record(reader, separator, ref line)?.Select(f => f.Text).ToArray()
            ?? throw new InvalidDataException("The text is empty; expected a line with the names of the columns.");
        // a first column without a name has numbers of rows, as R writes them
        if (names.Length > 1 && names[0].Length == 0) names[0] = "row";
        for (var c = 0; c < names.Length; c++)
            if (names[c].Length == 0 || Array.IndexOf(names, names[c]) < c)
                throw new InvalidDataException(names[c].Length == 0 ? $"Line 1: column {c + 1} has no name."
                    : $"Line 1: columns {Array.IndexOf(names, names[c]) + 1} and {c + 1} are both called '{names[c]}'. Rename one.");
        var cells = names.Select(_ => new List<string?>()).ToArray();
        while (true)
        {
            var at = line;
            if (Record(reader, separator, ref line) is not { } fields) break;
            if (fields.Count == 1 && fields[0].Text.Length == 0 && names.Length > 1) continue;
            if (fields.Count != names.Length)
                throw new InvalidDataException($"Line {at} has {fields.Count} value(s); the first line names {names.Length} columns.");
            for (var c = 0; c < cells.Length; c++)
                cells[c].Add(!fields[c].Quoted && missing.Contains(fields[c].Text) ? null : fields[c].Text);
        }
        return FromColumns([.. names.Select((n, c) => (n, Column([.. cells[c]], decimalPoint)))]);
    }

    /// <summary>Writes the table as <see cref="ReadCsv(string, char?, char)"/> reads it; missing cells are empty.</summary>
    /// <remarks>A column of texts that all look like numbers, such as 007, or like booleans is read as such.</remarks>
    /// <param name="path">The file.</param>
    /// <param name="separator">What stands between values.</param>
    /// <exception cref="ArgumentException">A text has half of a surrogate pair; nothing is written.</exception>
    public void WriteCsv(string path, char separator = ',')
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        // an encoder would put another character in the place of what it cannot write
        if (Names.Zip(columns).FirstOrDefault(c => !Check.IsText(c.First) || c.Second.ToTexts().Any(t => t is not null && !Check.IsText(t)))
            is { First: { } name })
            throw new ArgumentException(
                $"Column '{name}' has a text with half of a surrogate pair, which no file can hold. Correct it.", nameof(path));
        using var writer = new StreamWriter(path, append: false, new UTF8Encoding(false));
        WriteCsv(writer, separator);
    }

    /// <summary>Writes the table to a writer, which stays open.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="separator">What stands between values.</param>
    public void WriteCsv(TextWriter writer, char separator = ',')
    {
        ArgumentNullException.ThrowIfNull(writer);
        CheckCharacters(separator, '.');
        writer.WriteLine(string.Join(separator, Names.Select(n => Quoted(n, separator, isText: true))));
        var texts = Array.ConvertAll(columns, c => (Cells: c.ToTexts(), IsText: c.Kind == TableCellKind.Text));
        for (var r = 0; r < RowCount; r++)
            writer.WriteLine(string.Join(separator, texts.Select(t => Quoted(t.Cells[r], separator, t.IsText))));
    }

    private static TableColumn Column(string?[] cells, char decimalPoint)
    {
        var numbers = new double[cells.Length];
        var known = cells.Where(c => c is not null).ToArray();
        if (known.Length > 0 && known.All(c => TableColumn.Booleans.Contains(c!.ToLowerInvariant())))
            return TableColumn.Of(Array.ConvertAll(cells, c => c?.ToLowerInvariant()), TableCellKind.Boolean);
        for (var i = 0; i < cells.Length; i++)
        {
            numbers[i] = double.NaN;
            if (cells[i] is { } text && !double.TryParse(text, NumberStyles.Float, decimalPoint == ',' ? comma
                : CultureInfo.InvariantCulture,
                    out numbers[i]))
                return TableColumn.Of(cells, TableCellKind.Text);
        }
        return TableColumn.Of(numbers);
    }

    private static string Quoted(string? cell, char separator, bool isText)
    {
        if (cell is null) return "";
        var plain = !cell.Contains(separator, StringComparison.Ordinal) && cell.IndexOfAny(['"', '\n', '\r']) < 0
            && !(isText && (missing.Contains(cell) || char.IsWhiteSpace(cell[0]) || char.IsWhiteSpace(cell[^1])));
        return plain ? cell : $"\"{cell.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";
    }

    private static List<(string Text, bool Quoted)>? Record(TextReader reader, char separator, ref int line)
    {
        if (reader.Peek() < 0) return null;
        var fields = new List<(string, bool)>();
        var (text, quoted, inside) = (new StringBuilder(), false, false);
        while (true)
        {
            var next = reader.Read();
            if (inside && next >= 0)
            {
                if (next == '\n') line++;
                if (next != '"') text.Append((char)next);
                else if (reader.Peek() == '"') text.Append((char)reader.Read());
                else inside = false;
                continue;
            }
            if (inside) throw new InvalidDataException($"Line {line}: a quote is not closed.");
            // blanks before a quote are none of the value
            if (next == '"' && !quoted && string.IsNullOrWhiteSpace(text.ToString())) (inside, quoted, text) = (true, true, text.Clear());
            else if (next == separator || next is '\n' or -1)
            {
                fields.Add((quoted ? text.ToString() : text.ToString().Trim(), quoted));
                if (next != separator)
                {
                    line++;
                    return fields;
                }
                (text, quoted) = (text.Clear(), false);
            }
            else if (next != '\r' && !(quoted && next == ' ')) text.Append((char)next);
        }
    }
}
