using System.Globalization;
using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Anomalies;

/// <summary>Refuses rows with NaN or infinity, by row and column.</summary>
internal static class MissingValues
{
    private const int MostNamed = 5;

    public static void Refuse(Tensor x, IReadOnlyList<AnomalyColumn> columns, string parameter, string owner) =>
        Refuse(x, c => columns[c].Name, parameter, owner);

    public static void Refuse(Tensor x, Func<int, string> name, string parameter, string owner)
    {
        using var scope = NewDisposeScope();
        var bad = x.isfinite().logical_not();
        if (!bad.any().Fetch<bool>()) return;
        var places = bad.nonzero().FetchInt64s();
        var values = x.masked_select(bad).FetchDoubles();
        var named = values.Take(MostNamed).Select((value, i) => string.Create(CultureInfo.InvariantCulture,
            $"row {places[2 * i]}, column {name((int)places[(2 * i) + 1])} is {value}"));
        var more = values.Length > MostNamed ? string.Create(CultureInfo.InvariantCulture, $" and {values.Length - MostNamed:N0} more")
            : "";
        throw new ArgumentException(
            $"{owner} expects numbers, but {string.Join(", ", named)}{more}. Leave these rows out, or fill them in.", parameter);
    }
}
