using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Samples.Common;

/// <summary>A table of numbers with named columns.</summary>
/// <remarks>It owns its tensor: dispose it once.</remarks>
/// <param name="Columns">The names of the columns, all different.</param>
/// <param name="Values">float64 (N, D): one row for each row of the table, in the order of the file.</param>
public sealed record CsvTable(IReadOnlyList<string> Columns, Tensor Values) : IDisposable
{
    /// <summary>Copies one column: float64 (N), which the caller disposes.</summary>
    /// <param name="name">The name of the column, exactly as in the header.</param>
    /// <exception cref="ArgumentException">There is no such column.</exception>
    public Tensor Column(string name)
    {
        using var scope = NewDisposeScope();
        return Values.select(1, IndexOf(name)).clone().MoveToOuterDisposeScope();
    }

    /// <summary>Copies the table without one column, for example without the label. The caller disposes the new table.</summary>
    /// <param name="name">The name of the column, exactly as in the header; not the only one.</param>
    /// <exception cref="ArgumentException">There is no such column, or no other.</exception>
    public CsvTable Without(string name)
    {
        var index = IndexOf(name);
        if (Columns.Count == 1) throw new ArgumentException($"'{name}' is the only column; a table needs at least one.", nameof(name));
        using var scope = NewDisposeScope();
        var kept = tensor(Enumerable.Range(0, Columns.Count).Where(i => i != index).Select(i => (long)i).ToArray());
        return new CsvTable([.. Columns.Where((_, i) => i != index)], Values.index_select(1, kept).MoveToOuterDisposeScope());
    }

    /// <summary>Disposes the values.</summary>
    public void Dispose() => Values.Dispose();

    private int IndexOf(string name)
    {
        for (var i = 0; i < Columns.Count; i++)
            if (Columns[i] == name) return i;
        throw new ArgumentException($"There is no column '{name}'; the columns are {string.Join(", ", Columns)}.", nameof(name));
    }
}
