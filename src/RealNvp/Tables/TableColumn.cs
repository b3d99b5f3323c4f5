using System.Globalization;

namespace RealNvp;

/// <summary>One column of a <see cref="Table"/>: numbers, texts or booleans, some of which may be missing.</summary>
/// <remarks>An array is one by itself: <c>Table.FromColumns(("age", ages), ("sex", sexes))</c>. It is a copy, and does not change.
/// NaN and null are missing cells.</remarks>
public sealed class TableColumn
{
    private const string Yes = "true", No = "false";

    private readonly double[]? numbers;
    private readonly string?[]? texts;

    private TableColumn(double[] numbers) => (this.numbers, Kind) = (numbers, TableCellKind.Number);

    private TableColumn(string?[] texts, TableCellKind kind) => (this.texts, Kind) = (texts, kind);

    /// <summary>What the cells are.</summary>
    public TableCellKind Kind { get; }

    /// <summary>The number of cells.</summary>
    public int Count => numbers?.Length ?? texts!.Length;

    /// <summary>The number of missing cells.</summary>
    public int MissingCount => numbers?.Count(double.IsNaN) ?? texts!.Count(t => t is null);

    /// <summary>A cell: a <c>double</c>, a <c>string</c> or a <c>bool</c>; null if it is missing.</summary>
    /// <param name="row">From 0.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such row.</exception>
    public object? this[int row] => IsMissing(row) ? null : numbers is { } n ? n[row]
        : Kind == TableCellKind.Boolean ? texts![row] == Yes : texts![row];

    /// <summary>Numbers; NaN is missing.</summary>
    public static implicit operator TableColumn(double[] values) => new([.. Given(values)]);

    /// <summary>Numbers; NaN is missing.</summary>
    public static implicit operator TableColumn(float[] values) => new(Array.ConvertAll(Given(values), v => (double)v));

    /// <summary>Whole numbers.</summary>
    public static implicit operator TableColumn(int[] values) => new(Array.ConvertAll(Given(values), v => (double)v));

    /// <summary>Whole numbers, up to 2⁵³ exactly.</summary>
    public static implicit operator TableColumn(long[] values) => new(Array.ConvertAll(Given(values), v => (double)v));

    /// <summary>Numbers; null is missing.</summary>
    public static implicit operator TableColumn(double?[] values) => new(Array.ConvertAll(Given(values), v => v ?? double.NaN));

    /// <summary>Whole numbers; null is missing.</summary>
    public static implicit operator TableColumn(int?[] values) => new(Array.ConvertAll(Given(values), v => v ?? double.NaN));

    /// <summary>Texts; null is missing, and an empty text is a text.</summary>
    public static implicit operator TableColumn(string?[] values) => new([.. Given(values)], TableCellKind.Text);

    /// <summary>Booleans.</summary>
    public static implicit operator TableColumn(bool[] values) =>
        new(Array.ConvertAll(Given(values), v => (string?)Name(v)), TableCellKind.Boolean);

    /// <summary>Booleans; null is missing.</summary>
    public static implicit operator TableColumn(bool?[] values) =>
        new(Array.ConvertAll(Given(values), v => v is { } known ? Name(known) : null), TableCellKind.Boolean);

    /// <summary>Whether a cell is missing.</summary>
    /// <param name="row">From 0.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such row.</exception>
    public bool IsMissing(int row)
    {
        if (row < 0 || row >= Count) throw new ArgumentOutOfRangeException(nameof(row), row, $"Rows are 0 to {Count - 1}.");
        return numbers is { } n ? double.IsNaN(n[row]) : texts![row] is null;
    }

    /// <summary>The cells as numbers, NaN for missing ones.</summary>
    /// <exception cref="InvalidOperationException">They are no numbers.</exception>
    public double[] ToNumbers() => numbers is { } n ? [.. n] : throw Fault(TableCellKind.Number);

    /// <summary>The cells as texts, null for missing ones: numbers in the invariant culture, booleans as true and false.</summary>
    public string?[] ToTexts() => numbers is { } n
        ? Array.ConvertAll(n, v => double.IsNaN(v) ? null : v.ToString("R", CultureInfo.InvariantCulture)) : [.. texts!];

    /// <summary>The cells as booleans, null for missing ones.</summary>
    /// <exception cref="InvalidOperationException">They are no booleans.</exception>
    public bool?[] ToBooleans() => Kind == TableCellKind.Boolean ? Array.ConvertAll(texts!, t => t is null ? (bool?)null : t == Yes)
        : throw Fault(TableCellKind.Boolean);

    /// <summary>The kind, the number of cells, and that of missing ones.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{Count:N0} cells, {Kind}") + (MissingCount > 0
            ? string.Create(CultureInfo.InvariantCulture, $", {MissingCount:N0} missing") : "");

    /// <summary>The names of the two booleans, as categories.</summary>
    internal static IReadOnlyList<string> Booleans { get; } = [No, Yes];

    internal static TableColumn Of(string?[] texts, TableCellKind kind) => new(texts, kind);

    internal static TableColumn Of(double[] numbers) => new(numbers);

    /// <summary>The cells, those of another column in the place of missing ones.</summary>
    internal TableColumn FilledBy(TableColumn other) => numbers is { } n
        ? new([.. n.Select((v, r) => double.IsNaN(v) && other.numbers is { } o ? o[r] : v)])
        : new([.. texts!.Select((t, r) => t ?? other.texts?[r])], Kind);

    internal TableColumn Rows(ReadOnlySpan<int> rows)
    {
        if (numbers is { } n)
        {
            var some = new double[rows.Length];
            for (var i = 0; i < some.Length; i++) some[i] = n[rows[i]];
            return new(some);
        }
        var chosen = new string?[rows.Length];
        for (var i = 0; i < chosen.Length; i++) chosen[i] = texts![rows[i]];
        return new(chosen, Kind);
    }

    private static string Name(bool value) => value ? Yes : No;

    private static T[] Given<T>(T[]? values) => values ?? throw new ArgumentNullException(nameof(values), "A column needs an array.");

    private InvalidOperationException Fault(TableCellKind wanted) => new($"The cells are of kind {Kind}; {wanted} was asked for.");
}
