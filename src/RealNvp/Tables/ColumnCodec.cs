using System.Globalization;

namespace RealNvp.Tables;

/// <summary>
/// Takes a column of the user's units to codes that a network can deal with, and back, with the logarithm of the derivative. It is fixed
/// by the
/// schema, completed by the data, and by four numbers that were taken from the data.
/// </summary>
/// <remarks>Codes: of categories and levels the number in order of names or values, so that the order in a schema means nothing; of
/// integers the number of steps from a middle one; of numbers about standard normal; on a circle and between two bounds in [0,
/// 1].</remarks>
internal sealed class ColumnCodec
{
    private readonly string[]? names;
    private readonly double[]? levels;
    private readonly Dictionary<string, int>? places;
    private readonly double[] atoms;

    private ColumnCodec(ColumnSchema schema, TableCellKind cells, ColumnNumbers numbers)
    {
        (Schema, Cells, Numbers) = (schema, cells, numbers);
        names = schema.Kind == TableColumnKind.Category ? [.. schema.Categories!.Order(StringComparer.Ordinal)] : null;
        levels = schema.Kind == TableColumnKind.Levels ? [.. schema.LevelValues!.Order()] : null;
        places = names?.Select((n, i) => (n, i)).ToDictionary(p => p.n, p => p.i, StringComparer.Ordinal);
        atoms = [.. (schema.Atoms ?? []).Order()];
        Head = HeadOf();
    }

    /// <summary>The column, with all that the data completed.</summary>
    public ColumnSchema Schema { get; }

    /// <summary>What the cells of the table were.</summary>
    public TableCellKind Cells { get; }

    public ColumnNumbers Numbers { get; }

    /// <summary>What the density has to do with its codes.</summary>
    public ColumnHead Head { get; }

    /// <summary>The names of the values of a categorical column, in the order of codes; null for others.</summary>
    public IReadOnlyList<string>? Names => names ?? levels?.Select(v => v.ToString("R", CultureInfo.InvariantCulture)).ToArray();

    /// <summary>The codec of a schema and numbers, as files hold them.</summary>
    public static ColumnCodec Of(ColumnSchema schema, TableCellKind cells, ColumnNumbers numbers) => new(schema, cells, numbers);

    /// <summary>Completes a schema by a column, and takes the numbers from it.</summary>
    /// <exception cref="ArgumentException">The column is of another kind, or has values outside of the schema; the message says
    /// which.</exception>
    public static ColumnCodec Fit(ColumnSchema schema, TableColumn column, string parameter)
    {
        ArgumentException Fault(string what) => new($"Column '{schema.Name}' {what}.", parameter);
        if (column.MissingCount == column.Count) throw Fault("has no values. Leave it out of the schema");
        if (schema.Kind == TableColumnKind.Category)
        {
            if (column.Kind == TableCellKind.Number)
                throw Fault($"has numbers, and the schema says it is a {nameof(ColumnSchema.Category)}. Use " +
                    $"{nameof(ColumnSchema.Levels)}, " +
                    "or give texts");
            schema = schema with { Categories = schema.Categories ?? [.. column.ToTexts().OfType<string>().Distinct()
                .Order(StringComparer.Ordinal)] };
            return new(schema, column.Kind, new());
        }
        if (column.Kind != TableCellKind.Number)
            throw Fault($"has cells of kind {column.Kind}, and the schema says it is a {schema.Kind}. Use {nameof(ColumnSchema.Category)}");
        var values = new ColumnValues(column.ToNumbers());
        if (!double.IsFinite(values.Least) || !double.IsFinite(values.Most)) throw Fault("has infinite values. Leave these rows out");
        if (schema.Kind == TableColumnKind.Levels)
            return new(schema with { LevelValues = schema.LevelValues ?? values.Different }, column.Kind, new());
        if (schema.Kind == TableColumnKind.Circle) return new(schema, column.Kind, new());
        if (schema.Atoms is null)
        {
            var found = values.Atoms().ToList();
            if (schema.Kind == TableColumnKind.Number)
                foreach (var bound in new[] { schema.Lower, schema.Upper })
                    if (bound is { } b && !found.Contains(b) && values.Different.Contains(b)) found.Add(b);
            schema = schema with { Atoms = [.. found.Order()] };
        }
        var rest = schema.Atoms!.Count == 0 ? values.Sorted : [.. values.Sorted.Where(v => !schema.Atoms.Contains(v))];
        if (rest.Length < 2 || rest[0] == rest[^1])
            throw Fault("has hardly any values that differ" + (schema.Atoms.Count > 0 ? " beside those that repeat" : "") +
                $". Use {nameof(ColumnSchema.Levels)}");
        var numbers = ColumnNumbers.Of(schema, rest);
        if (!numbers.AreUsable)
            throw Fault(string.Create(CultureInfo.InvariantCulture,
                $"has values from {values.Least:G6} to {values.Most:G6}, whose sum float64 cannot hold. Give it in another unit"));
        if (schema.Kind == TableColumnKind.Whole
            && Math.Max(values.Most - numbers.Centre, numbers.Centre - values.Least) / schema.Step > ColumnNumbers.MostSteps)
            throw Fault(string.Create(CultureInfo.InvariantCulture,
                $"has values from {values.Least:G6} to {values.Most:G6}, which are more than {ColumnNumbers.MostSteps:N0} steps of " +
                $"{schema.Step} from the middle one, so float32 cannot count them. Use {nameof(ColumnSchema.Number)}, or a larger step"));
        return new(schema, column.Kind, numbers);
    }

    /// <summary>Code and log|d code/d value| of a cell that is not missing; NaN for a value outside of the support.</summary>
    public (double Code, double LogDet) Encode(string text) => (places!.TryGetValue(text, out var place) ? place : double.NaN, 0);

    /// <inheritdoc cref="Encode(string)"/>
    public (double Code, double LogDet) Encode(double value) => Schema.Kind switch
    {
        TableColumnKind.Levels => (Array.BinarySearch(levels!, value) is >= 0 and var place ? place : double.NaN, 0),
        TableColumnKind.Whole => (Numbers.Steps(value, Schema), 0),
        TableColumnKind.Circle => (ColumnNumbers.Turn(value, Schema), -Math.Log(Schema.Upper!.Value - Schema.Lower!.Value)),
        // an atom has a probability, and no density
        _ => Array.IndexOf(atoms, value) is >= 0 and var atom ? (Head.Atoms[atom], 0) : Apart(Numbers.Forward(value, Schema)),
    };

    /// <summary>The name of a category.</summary>
    public string NameOf(double code) => names![(int)code];

    /// <summary>The value of a code, of all but categories.</summary>
    public double Decode(double code) => Schema.Kind switch
    {
        TableColumnKind.Levels => levels![(int)code],
        TableColumnKind.Whole => Numbers.FromSteps(code, Schema),
        TableColumnKind.Circle => ColumnNumbers.FromTurn(code, Schema),
        _ => Array.FindIndex(Head.Atoms, a => a == code) is >= 0 and var atom ? atoms[atom] : Numbers.Inverse(code, Schema),
    };

    /// <summary>Why a value has no code.</summary>
    public string Allowed => Schema.Kind switch
    {
        TableColumnKind.Category => $"one of {string.Join(", ", names!.Take(8))}{(names!.Length > 8 ? ", ..." : "")}",
        TableColumnKind.Levels => $"one of {string.Join(", ", Names!.Take(8))}{(levels!.Length > 8 ? ", ..." : "")}",
        // there is no density at a bound, and only what repeats has a probability
        TableColumnKind.Number when Schema.Lower is not null || Schema.Upper is not null =>
            $"{Plain}, and a value at a bound only if it is one of its {nameof(ColumnSchema.Atoms)}",
        _ => Plain,
    };

    private string Plain => (Schema with { Why = null, Atoms = null }).ToString();

    // a number that float32 does not tell from an atom is none all the same
    private (double Code, double LogDet) Apart((double Code, double LogDet) coded)
    {
        if (!Array.Exists(Head.Atoms, a => a == (float)coded.Code)) return coded;
        var code = MathF.BitIncrement((float)coded.Code);
        while (Array.Exists(Head.Atoms, a => a == code)) code = MathF.BitIncrement(code);
        return (code, coded.LogDet);
    }

    // atoms in ascending order that float32 does not tell apart are neighbours in it
    private double[] AtomCodes()
    {
        var codes = Array.ConvertAll(atoms, a => Numbers.AtomCode(a, Schema));
        for (var i = 1; i < codes.Length; i++)
            if (codes[i] <= codes[i - 1]) codes[i] = MathF.BitIncrement((float)codes[i - 1]);
        return codes;
    }

    private ColumnHead HeadOf() => Schema.Kind switch
    {
        TableColumnKind.Category => new() { Kind = HeadKind.Softmax, Levels = names!.Length },
        TableColumnKind.Levels => new() { Kind = HeadKind.Softmax, Levels = levels!.Length, IsOrdered = levels.Length > 2 },
        TableColumnKind.Circle => new() { Kind = HeadKind.Circle },
        TableColumnKind.Whole => new()
        {
            Kind = HeadKind.Cells, Atoms = Array.ConvertAll(atoms, a => Numbers.Steps(a, Schema)),
            Numbers = Numbers, HeavyTails = Schema.HeavyTails,
            Lowest = Schema.Lower is { } low ? Math.Ceiling((low - Numbers.Centre) / Schema.Step - 1e-9) : null,
            Highest = Schema.Upper is { } high ? Math.Floor((high - Numbers.Centre) / Schema.Step + 1e-9) : null,
        },
        _ => new()
        {
            Kind = Schema is { Lower: not null, Upper: not null } ? HeadKind.Box : HeadKind.Line,
            Atoms = AtomCodes(),
        },
    };
}
