using System.Globalization;
using System.Text;

namespace RealNvp;

/// <summary>Texts that a file brings, as messages may show them: cut to a readable
/// length, and with nothing in them that a terminal or a log would obey.</summary>
internal static class FileText
{
    private const int NameLength = 100, SentenceLength = 800, ParagraphLength = 4000;

    /// <summary>A name or a value.</summary>
    public static string Name(string text) => Cut(text, NameLength);

    /// <summary>A sentence that holds names or values.</summary>
    public static string Sentence(string text) => Cut(text, SentenceLength);

    /// <summary>A text that a training wrote itself, such as a warning.</summary>
    public static string Paragraph(string text) => Cut(text, ParagraphLength);

    private static string Cut(string text, int most)
    {
        var shown = new StringBuilder(Math.Min(text.Length, most) + 16);
        var at = 0;
        while (at < text.Length && shown.Length < most)
        {
            if (Rune.DecodeFromUtf16(text.AsSpan(at), out var rune, out var length) == System.Buffers.OperationStatus.Done && !Hides(rune))
                shown.Append(text.AsSpan(at, length));
            else
                shown.Append(CultureInfo.InvariantCulture, $"\\u{(int)text[at]:x4}").Append(length == 2
                    ? string.Create(CultureInfo.InvariantCulture, $"\\u{(int)text[at + 1]:x4}") : "");
            at += length;
        }
        if (at < text.Length) shown.Append(CultureInfo.InvariantCulture, $"... ({text.Length} characters)");
        return shown.ToString();
    }

    // what moves a cursor, ends a line or turns the direction of writing
    private static bool Hides(Rune rune) => Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format
        or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
        or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned;
}
