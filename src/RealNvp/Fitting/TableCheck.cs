using System.Globalization;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Fitting;

/// <summary>Looks at a table before anything is built: what no density can be fitted to
/// is refused, by the names of columns; what the user should know is said.</summary>
internal static class TableCheck
{
    /// <summary>The least number of rows that a model is fitted to.</summary>
    public const long LeastRows = 20;

    private const int MostNames = 5, LookedAt = 10_000;

    /// <summary>Throws if there are NaN or infinity.</summary>
    public static void Finite(Tensor x, IReadOnlyList<string>? names, string what, string parameter, string owner)
    {
        if (!x.is_floating_point()) return;
        using var scope = NewDisposeScope();
        var bad = x.isfinite().logical_not();
        if (!bad.any().Fetch<bool>()) return;
        var counts = bad.sum([0L]).FetchInt64s();
        var (columns, rows) = (counts.Select((count, column) => (count, column)).Where(c => c.count > 0).ToArray(), bad.any(1));
        var told = List(columns.Select(c => string.Create(CultureInfo.InvariantCulture,
            $"{what} {Name(names, c.column)} has {c.count:N0} NaN or infinite value(s)")));
        throw new ArgumentException(
            $"{owner} expects numbers, but {told}: {Check.Rows(rows)}. Leave these rows out, or fill them in.", parameter);
    }

    /// <summary>Throws if a column has one value only: its density has no finite value.</summary>
    public static void Vary(Tensor x, IReadOnlyList<string>? names, string what, string parameter, string owner)
    {
        using var scope = NewDisposeScope();
        var (least, most) = (x.amin([0L]).FetchDoubles(), x.amax([0L]).FetchDoubles());
        var constant = least.Select((value, column) => (value, column)).Where(c => c.value == most[c.column]).ToArray();
        if (constant.Length == 0) return;
        var told = List(constant.Select(c => string.Create(CultureInfo.InvariantCulture,
            $"{what} {Name(names, c.column)} is {c.value:G6} in all {x.shape[0]:N0} rows to train on")));
        throw new ArgumentException(
            $"{owner}: {told}. The density of a constant has no finite value. Leave the column(s) out.", parameter);
    }

    /// <summary>A sentence on columns that have few different values, so that their density is spikes.</summary>
    public static string? FewValues(Tensor x, IReadOnlyList<string>? names)
    {
        using var scope = NewDisposeScope();
        var rows = Math.Min(x.shape[0], LookedAt);
        var numbers = x.narrow(0, 0, rows).FetchDoubles();
        var columns = (int)x.shape[1];
        var few = new List<string>();
        for (var c = 0; c < columns; c++)
        {
            var different = new HashSet<double>();
            for (var r = 0; r < rows; r++) different.Add(numbers[(r * columns) + c]);
            if (different.Count < 0.05 * rows) few.Add($"{Name(names, c)} has {different.Count}");
        }
        return few.Count == 0 ? null
            : $"Columns with few different values: {List(few)} in {rows.ToString("N0", CultureInfo.InvariantCulture)} rows. A density " +
            $"of continuous numbers makes spikes of these, and its score means little. Give such columns as a context, or add noise of " +
            $"the size of a step.";
    }

    /// <summary>How a message names a column.</summary>
    private static string Name(IReadOnlyList<string>? names, int column) => names is null ? column.ToString(CultureInfo.InvariantCulture)
        : $"{column} ('{names[column]}')";

    private static string List(IEnumerable<string> items)
    {
        var all = items.ToArray();
        return string.Join(", ", all.Take(MostNames)) + (all.Length > MostNames ? $" and {all.Length - MostNames} more" : "");
    }
}
