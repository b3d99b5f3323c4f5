using System.Text;

namespace RealNvp.Samples.Common;

/// <summary>Reads tables of numbers. It is strict: what is no number is an error
/// that names row and column, and nothing is guessed in silence.</summary>
/// <remarks>
/// <para>Separators: comma, semicolon or tab, the one that parts the first lines into equally many fields. Numbers have a decimal point, or
/// a decimal comma where no number has a point. Neither depends on the
/// computer's language. A first line of numbers is a row, not a header.</para>
/// <para>Fields may be quoted, may then hold separators and line ends, and may have blanks around
/// them. The text is UTF-8, or UTF-16 with its mark. Lines end in LF, CRLF or CR; empty lines at
/// the end, columns without name and content, and Excel's <c>sep=;</c> are left out.</para>
/// </remarks>
public static class Csv
{
    private const int Head = 65_536, Compared = 20, Told = 5;
    private const string DecimalCommas =
        " (if numbers have decimal commas, the separator must be a semicolon or a tab, or they must be quoted)";
    private static readonly char[] separators = [',', ';', '\t'];

    /// <summary>Reads a file whose columns are all numbers.</summary>
    /// <param name="path">The file.</param>
    /// <param name="separator">Comma, semicolon or tab; null finds out.</param>
    /// <returns>The column names and the values, float64 (N, D), N and D at least 1. The caller disposes the table.</returns>
    /// <inheritdoc cref="Open" path="/exception"/>
    public static CsvTable Read(string path, char? separator = null) => Open(path, new CsvOptions(separator)).ToTable();

    /// <summary>Reads a file whose columns may hold numbers, words, and missing values.</summary>
    /// <param name="path">The file.</param>
    /// <param name="options">What is known about the file; null finds all of it out.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="ArgumentException">An option has another value than it may have.</exception>
    /// <exception cref="DataFormatException">
    /// The file is no text, or empty; a name in the header is repeated; there is no row; rows have another number of
    /// fields than the header; or it is open whether the first line is a header, or what a comma in a number means.
    /// </exception>
    public static CsvFile Open(string path, CsvOptions? options = null)
    {
        options ??= new CsvOptions();
        options.Validate();
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        if (!File.Exists(path))
            throw new FileNotFoundException(Directory.Exists(path) ? $"{path} is a folder; expected a file."
                : $"There is no file {path}.", path);
        RefuseBinary(path);
        try
        {
            using var reader = new StreamReader(path, new UTF8Encoding(false, throwOnInvalidBytes: true));
            var (separator, first) = Start(path, options.Separator);
            if (first == 2) reader.ReadLine();
            return Table(path, CsvRecords.Read(reader, separator, path, first), separator, options);
        }
        catch (DecoderFallbackException e)
        {
            throw new DataFormatException($"{path} is not UTF-8. Save it as UTF-8; in Excel the type is called \"CSV UTF-8\".", e);
        }
    }

    private static CsvFile Table(string path, IEnumerable<(int Line, List<string> Fields)> records, char separator, CsvOptions options)
    {
        List<CsvColumn>? columns = null;
        List<int> lines = [];
        List<string>? first = null;
        List<string> wrong = [];
        var (firstLine, emptyLine) = (0, 0);
        var isHeader = options.Header ?? true;
        foreach (var (line, fields) in records)
        {
            if (first is null)
            {
                if (fields.TrueForAll(f => f.Length == 0))
                    throw new DataFormatException($"{path}: line {line} is empty; expected the names of the columns.");
                (first, firstLine) = (fields, line);
                continue;
            }
            if (columns is null)
            {
                isHeader = options.Header ?? CsvHeader.Is(path, first, fields);
                columns = [.. (isHeader ? CsvHeader.Names(path, first) : CsvHeader.Numbered(first.Count)).Select(n => new CsvColumn(n))];
                if (!isHeader) Add(firstLine, first);
            }
            if (fields is [""])
            {
                if (emptyLine == 0) emptyLine = line;
                continue;
            }
            if (emptyLine > 0) throw new DataFormatException($"{path}: line {emptyLine} is empty, but lines follow it.");
            if (fields.Count == columns.Count) Add(line, fields);
            else if (wrong.Count <= Told)
                wrong.Add($"line {line} has {fields.Count} " +
                    $"fields{(fields.Count == 2 * columns.Count && separator == ',' ? DecimalCommas : "")}");
        }
        if (wrong.Count > 0)
            throw new DataFormatException(
                $"{path}, {string.Join("; ", wrong.Take(Told))}{(wrong.Count > Told ? "; and more" : "")}; expected {columns!.Count}, " +
                $"as in the first line (separator {CsvRecords.Show(separator)}).");
        if (first is null) throw new DataFormatException($"{path}: the first line is empty; expected the names of the columns.");
        if (columns is null && (options.Header == false || CsvHeader.AllNumbers(first)))
        {
            (columns, isHeader) = ([.. CsvHeader.Numbered(first.Count).Select(n => new CsvColumn(n))], false);
            Add(firstLine, first);
        }
        if (lines.Count == 0) throw new DataFormatException($"{path} has a header, but no row.");
        var file = new CsvFile(path, columns!, lines, isHeader);
        if (!isHeader && options.Header is null)
            file.Note("The first line holds numbers, so it is a row, and the columns are called column1, column2, ...");
        CsvHeader.NameTheRest(file);
        CsvDecimals.Resolve(file, options.DecimalMark);
        return file;

        void Add(int line, List<string> fields)
        {
            for (var c = 0; c < fields.Count; c++) columns![c].Add(fields[c]);
            lines.Add(line);
        }
    }

    // the separator, and the line that the table begins in
    private static (char Separator, int FirstLine) Start(string path, char? given)
    {
        using var reader = new StreamReader(path, new UTF8Encoding(false, throwOnInvalidBytes: true));
        var buffer = new char[Head];
        var text = new string(buffer, 0, reader.ReadBlock(buffer, 0, Head));
        var end = text.AsSpan().IndexOfAny('\r', '\n');
        var line = end < 0 ? text : text[..end];
        if (line.Length == 5 && line.StartsWith("sep=", StringComparison.OrdinalIgnoreCase) && line[4] is ',' or ';' or '\t')
            return (given ?? line[4], 2);
        return (given ?? separators.MaxBy(s => Agreement(text, s, path)), 1);
    }

    // how many of the first records have as many fields as the first, if those are several
    private static (int Records, int Fields) Agreement(string text, char separator, string path)
    {
        List<int> counts = [];
        try
        {
            foreach (var (_, fields) in CsvRecords.Read(new StringReader(text), separator, path).Take(Compared)) counts.Add(fields.Count);
        }
        catch (DataFormatException)
        {
            // with this separator the quotes make no sense, or the text was cut; what was read counts
        }
        return counts.Count == 0 || counts[0] < 2 ? (0, 0) : (counts.Count(c => c == counts[0]), counts[0]);
    }

    private static void RefuseBinary(string path)
    {
        Span<byte> start = stackalloc byte[2];
        using var file = File.OpenRead(path);
        if (file.ReadAtLeast(start, 2, throwOnEndOfStream: false) < 2) return;
        if (start.SequenceEqual("PK"u8)) throw new DataFormatException($"{path} is a zip file, such as an Excel workbook. Save it as CSV.");
        if (start[0] == 0x1F && start[1] == 0x8B) throw new DataFormatException($"{path} is compressed (gzip). Unpack it first.");
    }
}
