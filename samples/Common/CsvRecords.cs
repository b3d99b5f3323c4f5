using System.Text;

namespace RealNvp.Samples.Common;

/// <summary>Parts a text into records and fields (RFC 4180): quoted fields may hold separators, doubled quotes and line ends.</summary>
/// <remarks>Blanks around a field are left out, also around its quotes. Lines end in LF, CRLF or CR.</remarks>
internal static class CsvRecords
{
    /// <summary>The records in order, each with the line it begins in, from
    /// <paramref name="firstLine"/>. An empty line is a record of one empty field.</summary>
    public static IEnumerable<(int Line, List<string> Fields)> Read(TextReader reader, char separator, string path, int firstLine = 1)
    {
        var line = firstLine;
        var text = new StringBuilder();
        while (reader.Peek() >= 0)
        {
            var begin = line;
            List<string> fields = [];
            while (!Field(reader, separator, path, text, fields, ref line)) { }
            yield return (begin, fields);
        }
    }

    // true: it was the last field of its record
    private static bool Field(TextReader reader, char separator, string path, StringBuilder text, List<string> fields, ref int line)
    {
        text.Clear();
        while (IsBlank(reader.Peek(), separator)) reader.Read();
        var quoted = reader.Peek() == '"';
        if (quoted) Quoted(reader, path, text, ref line);
        for (; ; )
        {
            var c = reader.Read();
            if (c == separator || c is '\r' or '\n' or < 0)
            {
                fields.Add(quoted ? text.ToString() : text.ToString().TrimEnd());
                if (c == separator) return false;
                if (c == '\r' && reader.Peek() == '\n') reader.Read();
                line++;
                return true;
            }
            if (c == 0)
                throw new DataFormatException(
                    $"{path}, line {line} holds a zero byte. It is no text, or UTF-16 without its mark. Save it as UTF-8.");
            if (!quoted) text.Append((char)c);
            else if (!IsBlank(c, separator))
                throw new DataFormatException(
                    $"{path}, line {line}: '{(char)c}' follows a closing quote; expected {Show(separator)} or the end of the line.");
        }
    }

    private static void Quoted(TextReader reader, string path, StringBuilder text, ref int line)
    {
        var begin = line;
        reader.Read();
        for (; ; )
        {
            var c = reader.Read();
            if (c < 0) throw new DataFormatException($"{path}, line {begin}: a quoted field has no closing quote.");
            if (c == '"')
            {
                if (reader.Peek() != '"') return;
                reader.Read();
            }
            else if (c == '\n' || (c == '\r' && reader.Peek() != '\n')) line++;
            text.Append((char)c);
        }
    }

    private static bool IsBlank(int c, char separator) => c != separator && (c is ' ' or '\t' or '\u00A0');

    public static string Show(char separator) => separator switch { ',' => "a comma", ';' => "a semicolon", _ => "a tab" };
}
