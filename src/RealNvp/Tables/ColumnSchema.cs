using System.Globalization;
using RealNvp.Internal;
using RealNvp.Tables;

namespace RealNvp;

/// <summary>What a column is: its kind, and what values it may have. What is left out is taken from the data when a flow is
/// fitted.</summary>
/// <remarks>Make one by <see cref="Category"/>, <see cref="Levels(string, double[])"/>, <see cref="Whole"/>, <see cref="Number"/> or
/// <see cref="Circle"/>, or let <see cref="TableSchema.Propose"/> do it.</remarks>
public sealed record ColumnSchema
{
    private const int ShownValues = 8;

    /// <summary>The name of the column in the table.</summary>
    public required string Name { get; init; }

    /// <summary>How it is described.</summary>
    public required TableColumnKind Kind { get; init; }

    /// <summary>Of a <see cref="TableColumnKind.Category"/>: the names, in any order, which changes nothing; null for those of the
    /// data.</summary>
    public IReadOnlyList<string>? Categories { get; init => field = Listed<string>.Of(value); }

    /// <summary>Of a <see cref="TableColumnKind.Levels"/>: the numbers; null for those of the data.</summary>
    public IReadOnlyList<double>? LevelValues { get; init => field = Listed<double>.Of(value); }

    /// <summary>The least value; null for none. Of a circle, where it is cut.</summary>
    public double? Lower { get; init; }

    /// <summary>The greatest value; null for none. Of a circle, the first value that is <see cref="Lower"/> again.</summary>
    public double? Upper { get; init; }

    /// <summary>Of a <see cref="TableColumnKind.Whole"/>: all values are multiples of it, such as 1, or 0.1 for rounded numbers.</summary>
    public double Step { get; init; } = 1;

    /// <summary>Whether values far out belong to the data: the tails are drawn in by asinh.</summary>
    public bool HeavyTails { get; init; }

    /// <summary>Of numbers and integers: single values that repeat far more often than their neighbours, such as 0 of an income. They get
    /// probabilities of their own. Null for those of the data, empty for none.</summary>
    public IReadOnlyList<double>? Atoms { get; init => field = Listed<double>.Of(value); }

    /// <summary>Why it was proposed so; null if a person wrote it.</summary>
    public string? Why { get; init; }

    /// <summary>Whether the value of a column is one of several, each with a probability.</summary>
    public bool IsDiscrete => Kind is TableColumnKind.Category or TableColumnKind.Levels or TableColumnKind.Whole;

    /// <summary>Names without an order, or booleans.</summary>
    /// <param name="name">The name of the column.</param>
    /// <param name="categories">The names, in any order; none for those of the data.</param>
    public static ColumnSchema Category(string name, params IReadOnlyList<string> categories) => new()
    {
        Name = name, Kind = TableColumnKind.Category, Categories = categories is { Count: 0 } ? null : categories,
    };

    /// <summary>A few different numbers.</summary>
    /// <param name="name">The name of the column.</param>
    /// <param name="values">The numbers; none for those of the data.</param>
    public static ColumnSchema Levels(string name, params double[] values) => new()
    {
        Name = name, Kind = TableColumnKind.Levels, LevelValues = values is { Length: 0 } ? null : values,
    };

    /// <summary>Whole numbers, or multiples of a step.</summary>
    /// <param name="name">The name of the column.</param>
    /// <param name="lower">The least value; null for none.</param>
    /// <param name="upper">The greatest value; null for none.</param>
    /// <param name="step">All values are multiples of it; positive.</param>
    /// <param name="heavyTails">Whether values far out belong to the data.</param>
    public static ColumnSchema Whole(string name, double? lower = null, double? upper = null, double step = 1, bool heavyTails = false) =>
        new() { Name = name, Kind = TableColumnKind.Whole, Lower = lower, Upper = upper, Step = step, HeavyTails = heavyTails };

    /// <summary>Numbers of the line.</summary>
    /// <remarks>At a bound there is no density: values of the data that lie there become <see cref="Atoms"/> when a flow is fitted, and
    /// others there have a log p of minus infinity.</remarks>
    /// <param name="name">The name of the column.</param>
    /// <param name="lower">No value is below it; null for none.</param>
    /// <param name="upper">No value is above it; null for none.</param>
    /// <param name="heavyTails">Whether values far out belong to the data.</param>
    public static ColumnSchema Number(string name, double? lower = null, double? upper = null, bool heavyTails = false) => new()
    {
        Name = name, Kind = TableColumnKind.Number, Lower = lower, Upper = upper, HeavyTails = heavyTails,
    };

    /// <summary>Numbers on a circle.</summary>
    /// <param name="name">The name of the column.</param>
    /// <param name="period">How long once around is, such as 360 or 24; positive.</param>
    /// <param name="from">Where values begin, such as 0 or −180.</param>
    public static ColumnSchema Circle(string name, double period, double from = 0) => new()
    {
        Name = name, Kind = TableColumnKind.Circle, Lower = from, Upper = from + period,
    };

    /// <summary>Name, kind, values, and why, on one line.</summary>
    public override string ToString() =>
        $"{Name}: {What()}{(Atoms is { Count: > 0 } atoms ? $", of which {List(atoms.Select(Text))} repeat" : "")}" +
        $"{(HeavyTails ? ", heavy tails" : "")}{(Why is null ? "" : $"  ({Why})")}";

    internal void Validate()
    {
        if (string.IsNullOrWhiteSpace(Name)) throw Fault(nameof(Name), "is empty");
        if (!Enum.IsDefined(Kind)) throw Fault(nameof(Kind), $"is {(int)Kind}, which is none");
        if (!(Step > 0 && double.IsFinite(Step))) throw Fault(nameof(Step), $"must be positive and finite; got {Text(Step)}");
        if (Lower is { } low && !double.IsFinite(low)) throw Fault(nameof(Lower), $"must be finite, or null for none; got {Text(low)}");
        if (Upper is { } high && !double.IsFinite(high)) throw Fault(nameof(Upper), $"must be finite, or null for none; got {Text(high)}");
        if (Lower >= Upper) throw Fault(nameof(Upper), $"must be above {nameof(Lower)} = {Text(Lower!.Value)}; got {Text(Upper!.Value)}");
        if (Kind == TableColumnKind.Circle && (Lower is null || Upper is null))
            throw Fault(nameof(Upper), $"and {nameof(Lower)} say where a circle begins and ends; got none");
        Distinct(Categories, nameof(Categories));
        if (Categories?.Any(c => c is null) == true) throw Fault(nameof(Categories), "has null; a missing cell is no category");
        Distinct(LevelValues, nameof(LevelValues));
        Distinct(Atoms, nameof(Atoms));
        if (LevelValues?.Any(v => !double.IsFinite(v)) == true) throw Fault(nameof(LevelValues), "must be finite");
        if (Atoms?.Any(v => !double.IsFinite(v)) == true) throw Fault(nameof(Atoms), "must be finite");
        if (Atoms?.Any(v => v < Lower || v > Upper) == true) throw Fault(nameof(Atoms), "must lie within the bounds");
        if (Kind == TableColumnKind.Whole && Atoms?.Any(v => !ColumnValues.IsMultiple(v, Step)) == true)
            throw Fault(nameof(Atoms), $"must be multiples of the step, {Text(Step)}");
        if (!Check.IsText(Name) || Categories?.All(Check.IsText) == false || (Why is not null && !Check.IsText(Why)))
            throw Fault(nameof(Categories), "or its name has half of a surrogate pair, which no file can hold. Correct the text");
    }

    private void Distinct<T>(IReadOnlyList<T>? values, string member)
    {
        if (values is not null && values.Distinct().Count() != values.Count) throw Fault(member, "has a value twice");
    }

    private ArgumentException Fault(string member, string what) => new($"Column '{Name}': {member} {what}.", member);

    private string What() => Kind switch
    {
        TableColumnKind.Category => Categories is null ? "category" : $"category of {Categories.Count}: {List(Categories)}",
        TableColumnKind.Levels => LevelValues is null ? "levels" : $"level of {LevelValues.Count}: {List(LevelValues.Select(Text))}",
        TableColumnKind.Whole => (Step == 1 ? "whole number" : $"multiple of {Text(Step)}") + Bounds(),
        TableColumnKind.Number => "number" + Bounds(),
        _ => $"on a circle, {Text(Lower ?? 0)} to {Text(Upper ?? 0)}",
    };

    private string Bounds() => (Lower, Upper) switch
    {
        ({ } low, { } high) => $" in {Text(low)} to {Text(high)}",
        ({ } low, null) => $", at least {Text(low)}",
        (null, { } high) => $", at most {Text(high)}",
        _ => "",
    };

    private static string List(IEnumerable<string> values)
    {
        var all = values.ToArray();
        return string.Join(", ", all.Take(ShownValues)) + (all.Length > ShownValues ? ", ..." : "");
    }

    private static string Text(double value) => value.ToString("G6", CultureInfo.InvariantCulture);
}
