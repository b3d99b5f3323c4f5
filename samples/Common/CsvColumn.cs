using System.Globalization;

namespace RealNvp.Samples.Common;

/// <summary>One column of a CSV file as it was read: numbers, words, and missing values.</summary>
public sealed class CsvColumn
{
    // what people and programs write if there is no value
    private static readonly HashSet<string> missing = new(["", "?", "-", "--", ".", "na", "n/a", "#n/a", "nan", "null", "none", "nil",
        "missing", "(null)"], StringComparer.OrdinalIgnoreCase);

    private readonly List<double> numbers = [];
    private readonly SortedDictionary<int, string> texts = [];

    internal CsvColumn(string name) => Name = name;

    /// <summary>The name, without blanks around it.</summary>
    public string Name { get; internal set; }

    /// <summary>The number of rows.</summary>
    public int Count => numbers.Count;

    /// <summary>The first row, from 0, whose number has a decimal point; −1 if there is none.</summary>
    internal int FirstPoint { get; private set; } = -1;

    /// <summary>The rows, from 0, that hold no finite number, with what they hold.</summary>
    public IReadOnlyDictionary<int, string> Texts => texts;

    /// <summary>The value of a row; NaN if it holds no finite number.</summary>
    /// <param name="row">The row, from 0.</param>
    public double Number(int row) => numbers[row];

    /// <summary>What a row holds, as text; a number in its shortest form.</summary>
    /// <param name="row">The row, from 0.</param>
    public string Text(int row) => texts.TryGetValue(row, out var text) ? text : numbers[row].ToString("R", CultureInfo.InvariantCulture);

    /// <summary>True if a row holds nothing, or one of the usual signs for a missing value, such as NA.</summary>
    /// <param name="row">The row, from 0.</param>
    public bool IsMissing(int row) => texts.TryGetValue(row, out var text) && missing.Contains(text);

    /// <summary>True if no row holds a number, but words stand there.</summary>
    public bool IsWords => texts.Count == Count && texts.Values.Any(t => !missing.Contains(t) && !TryParseComma(t, out _));

    /// <summary>True if the column counts the rows, by one from 0, 1 or any other whole number.</summary>
    public bool CountsRows
    {
        get
        {
            if (texts.Count > 0 || Count < 3 || numbers[0] != Math.Floor(numbers[0])) return false;
            for (var row = 1; row < Count; row++)
                if (numbers[row] - numbers[0] != row) return false;
            return true;
        }
    }

    internal static bool IsNumber(string text) => TryParse(text, out _) || TryParseComma(text, out _);

    internal static bool TryParse(string text, out double value) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value) && double.IsFinite(value);

    // one comma, no point
    internal static bool TryParseComma(string text, out double value)
    {
        value = double.NaN;
        var comma = text.IndexOf(',', StringComparison.Ordinal);
        return comma >= 0 && comma == text.LastIndexOf(',') && !text.Contains('.', StringComparison.Ordinal)
            && TryParse(text.Replace(',', '.'), out value);
    }

    internal void Add(string text)
    {
        if (TryParse(text, out var value))
        {
            if (FirstPoint < 0 && text.Contains('.', StringComparison.Ordinal)) FirstPoint = Count;
            numbers.Add(value);
            return;
        }
        // a column of words has few of them
        texts.Add(Count, string.IsInterned(text) ?? (text.Length < 32 ? string.Intern(text) : text));
        numbers.Add(double.NaN);
    }

    internal void ReadCommas()
    {
        foreach (var (row, text) in texts.ToArray())
            if (TryParseComma(text, out var value))
            {
                numbers[row] = value;
                texts.Remove(row);
            }
    }
}
