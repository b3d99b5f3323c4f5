using System.Globalization;

namespace RealNvp.Tables;

/// <summary>Says what a column seems to be.</summary>
internal static class ColumnProposal
{
    private const int FewLevels = 10, ManyLevels = 50, MostCategories = 200;
    private const double HeavyRatio = 9, WideRange = 10;
    // more steps than this within a deviation are as good as continuous
    private const double MostSteps = 1e5;
    // a level that repeats less often than this has no probability to speak of
    private const int LeastRepeats = 10;
    private static readonly string[] angles = ["angle", "direction", "bearing", "azimuth", "heading"];

    /// <summary>The proposal; null if nothing can be said, which the notes say then.</summary>
    public static ColumnSchema? Of(string name, TableColumn column, List<string> notes)
    {
        var known = column.Count - column.MissingCount;
        if (known == 0)
        {
            notes.Add($"Column '{name}' has no values and is left out.");
            return null;
        }
        return column.Kind == TableCellKind.Number ? Numbers(name, new ColumnValues(column.ToNumbers()), notes)
            : Texts(name, column, known, notes);
    }

    private static ColumnSchema? Texts(string name, TableColumn column, int known, List<string> notes)
    {
        if (column.Kind == TableCellKind.Boolean)
            return ColumnSchema.Category(name, TableColumn.Booleans) with { Why = "booleans" };
        string[] different = [.. column.ToTexts().OfType<string>().Distinct().Order(StringComparer.Ordinal)];
        if (different.Length > FewLevels && Array.TrueForAll(different, IsDate))
        {
            notes.Add($"Column '{name}' has dates or times and is left out: as texts they would be categories without an order. Put " +
                $"numbers in its place, such as days since the first one (a {nameof(ColumnSchema.Number)}), or the hour of the day (a " +
                $"{nameof(ColumnSchema.Circle)}).");
            return null;
        }
        if (different.Length > MostCategories || (different.Length > FewLevels && different.Length > known / 2))
        {
            notes.Add(string.Create(CultureInfo.InvariantCulture,
                $"Column '{name}' has {different.Length:N0} different texts in {known:N0} rows and is left out: names are no " +
                $"categories. To use it, give it a {nameof(ColumnSchema.Category)}."));
            if (Array.TrueForAll(different, IsNumberWithComma))
                notes.Add($"If '{name}' has numbers with a decimal comma, read them by {nameof(Table.ReadCsv)} with decimalPoint: ','.");
            return null;
        }
        return ColumnSchema.Category(name, different) with { Why = Text($"texts, {different.Length:N0} different") };
    }

    private static ColumnSchema? Numbers(string name, ColumnValues values, List<string> notes)
    {
        if (!double.IsFinite(values.Least) || !double.IsFinite(values.Most))
        {
            notes.Add($"Column '{name}' has infinite values and is left out.");
            return null;
        }
        var (different, count) = (values.Different.Length, values.Count);
        if (different <= FewLevels && (different < 3 || different <= count / 3))
            return ColumnSchema.Levels(name, values.Different) with { Why = Text($"{different} different numbers in {count:N0} rows") };
        if (angles.Any(a => name.Contains(a, StringComparison.OrdinalIgnoreCase)) && Circle(name, values) is { } circle) return circle;
        if (values.Step() is { } s && values.Scale / s < MostSteps && (values.Most - values.Least) / s < ColumnNumbers.MostSteps
            && (s == 1 || different < count / 2))
            return WholeNumber(name, values, s);
        if (different <= ManyLevels && different <= count / LeastRepeats)
            return ColumnSchema.Levels(name, values.Different) with
            {
                Why = Text($"{different} different numbers in {count:N0} rows, of no usual step"),
            };
        if (different < count / 2)
            notes.Add(string.Create(CultureInfo.InvariantCulture,
                $"Column '{name}' has {different:N0} different numbers in {count:N0} rows, of no usual step: a density of numbers that " +
                $"repeat has no bound. If they are rounded, give it a {nameof(ColumnSchema.Whole)} with their step."));
        return Number(name, values);
    }

    // 2024-03-01, 2024-03-01T12:30:00Z, 03/01/2024 or 12:30:00
    private static bool IsDate(string text) => text.Length >= 8 && char.IsAsciiDigit(text[0])
        && DateTime.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.None, out _);

    private static bool IsNumberWithComma(string text) =>
        double.TryParse(text.Replace(',', '.'), NumberStyles.Float, CultureInfo.InvariantCulture, out _);

    private static ColumnSchema? Circle(string name, ColumnValues values) => (values.Least, values.Most) switch
    {
        ( >= 0, <= 2 * Math.PI) => ColumnSchema.Circle(name, 2 * Math.PI) with { Why = "by its name and range, in radians" },
        ( >= -Math.PI, <= Math.PI) => ColumnSchema.Circle(name, 2 * Math.PI, -Math.PI) with { Why = "by its name and range, in radians" },
        ( >= 0, <= 360) => ColumnSchema.Circle(name, 360) with { Why = "by its name and range, in degrees" },
        ( >= -180, <= 180) => ColumnSchema.Circle(name, 360, -180) with { Why = "by its name and range, in degrees" },
        _ => null,
    };

    private static ColumnSchema WholeNumber(string name, ColumnValues values, double step)
    {
        var heavy = values.TailRatio > HeavyRatio;
        return ColumnSchema.Whole(name, values.Least >= 0 ? 0 : null, null, step, heavy) with
        {
            Atoms = values.Atoms(),
            Why = (step == 1 ? "whole" : "rounded")
                + Text($", {values.Different.Length:N0} different, {values.Least:G6} to {values.Most:G6}"),
        };
    }

    private static ColumnSchema Number(string name, ColumnValues values)
    {
        var (least, most) = (values.Least, values.Most);
        var share = least >= 0 && most <= 1 && most - least > 0.5;
        // what is never negative and spans more than a decade is a size
        var size = !share && least >= 0 && (least == 0 || values.Quantile(0.95) > WideRange * values.Quantile(0.05));
        var atoms = values.Atoms().ToList();
        // at a bound there is no density: what stands there repeats, or will
        if ((share || size) && least == 0 && !atoms.Contains(0)) atoms.Insert(0, 0);
        if (share && most == 1 && !atoms.Contains(1)) atoms.Add(1);
        var rest = atoms.Count == 0 ? values : new ColumnValues(values.Sorted.Except(atoms));
        var heavy = !share && !size && rest.Count > 0 && rest.TailRatio > HeavyRatio;
        return ColumnSchema.Number(name, share || size ? 0 : null, share ? 1 : null, heavy) with
        {
            Atoms = atoms,
            Why = Text($"{values.Different.Length:N0} different in {values.Count:N0}, {least:G6} to {most:G6}"),
        };
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
