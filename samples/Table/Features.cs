using System.Globalization;
using RealNvp.Samples.Common;

namespace RealNvp.Samples.Table;

/// <summary>Chooses the columns that a density can be fitted to, and says which are left out and why.</summary>
internal static class Features
{
    private const int Told = 12, FewValues = 10;

    /// <summary>The names of the columns to learn from.</summary>
    /// <param name="file">The table.</param>
    /// <param name="leftOut">The label and the columns that are to be ignored.</param>
    /// <param name="normal">The rows to learn from; a column that is constant there has no density.</param>
    /// <param name="say">Hears what is left out.</param>
    public static string[] Choose(CsvFile file, IReadOnlyList<string> leftOut, int[] normal, Action<string> say)
    {
        foreach (var name in leftOut) file.Column(name);
        var open = file.Columns.Where(c => !leftOut.Contains(c.Name)).ToArray();
        var counters = open.Where(c => c.CountsRows).ToArray();
        if (counters.Length > 0) say($"Left out, as they count the rows: {Names(counters.Select(c => c.Name))}");
        open = [.. open.Except(counters)];
        // a column of words is refused with the others below, and has no values yet
        var constant = open.Where(c => c.Texts.Count == 0 && Constant(c, normal)).ToArray();
        if (constant.Length > 0)
        {
            var elsewhere = constant.Where(c => Enumerable.Range(0, c.Count).Any(r => c.Number(r) != c.Number(normal[0]))).ToArray();
            say($"Left out, as they have one value in all rows to learn from: " +
                $"{Names(constant.Select(c => $"{c.Name} ({Number(c.Number(normal[0]))})"))}"
                + (elsewhere.Length > 0 ? $". In other rows they differ, which alone tells those: {Names(elsewhere.Select(c => c.Name))}"
                    : ""));
        }
        open = [.. open.Except(constant)];
        if (open.Length < 2)
            throw new DataFormatException(
                $"{file.Path} has {open.Length} feature(s) to learn from " +
                $"({string.Join(", ", file.Columns.Take(Told).Select(c => c.Name))} in the file); a flow of tables needs at least 2."
                + (file.Columns.Count == 1 ? " Is the separator a comma, a semicolon or a tab?" : ""));
        var few = open.Where(c => c.Texts.Count == 0 && normal.Length > 10 * FewValues
            && normal.Select(c.Number).Distinct().Take(FewValues + 1).Count() <= FewValues).ToArray();
        if (few.Length > 0)
            say($"Take care: {Names(few.Select(c => c.Name))} has {FewValues} values or fewer. A density makes spikes there, and log p " +
                $"may tell little else; compare with --ignore.");
        return [.. open.Select(c => c.Name)];
    }

    private static bool Constant(CsvColumn column, int[] rows) => Array.TrueForAll(rows, r => column.Number(r) == column.Number(rows[0]));

    private static string Names(IEnumerable<string> names)
    {
        var all = names.ToArray();
        return string.Join(", ", all.Take(Told)) + (all.Length > Told ? $" and {all.Length - Told} more" : "");
    }

    private static string Number(double value) => value.ToString("G6", CultureInfo.InvariantCulture);
}
