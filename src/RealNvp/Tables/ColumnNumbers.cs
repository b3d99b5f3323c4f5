using RealNvp.Internal;

namespace RealNvp.Tables;

/// <summary>The numbers that a column's codes are made with, and the maps that they make.</summary>
/// <remarks>
/// A number goes through t: x − Lower in logarithm, the same from above, or asinh((x − c)/s) with heavy tails, or x − c; then (t − m)/d.
/// Between
/// two bounds it is (x − Lower)/(Upper − Lower). An integer is counted in steps from c; its edges go through the same map in the layer.
/// </remarks>
internal sealed record ColumnNumbers
{
    /// <summary>The most steps from c that float32 counts exactly.</summary>
    public const double MostSteps = 1 << 24;

    /// <summary>c, a median.</summary>
    public double Centre { get; init; }

    /// <summary>s, where tails begin.</summary>
    public double Scale { get; init; } = 1;

    /// <summary>m, the mean of t.</summary>
    public double Mean { get; init; }

    /// <summary>d, the deviation of t.</summary>
    public double Deviation { get; init; } = 1;

    public static ColumnNumbers Of(ColumnSchema schema, double[] sorted)
    {
        double Quantile(double part) => sorted[(int)Math.Round(part * (sorted.Length - 1))];
        var integer = schema.Kind == TableColumnKind.Whole;
        var centre = integer ? Math.Round(Quantile(0.5) / schema.Step) * schema.Step : Quantile(0.5);
        var scale = (Quantile(0.75) - Quantile(0.25)) / 1.349;
        if (!(scale > 0)) scale = Spread.Of(sorted, centre);
        var raw = new ColumnNumbers { Centre = centre, Scale = integer ? Math.Max(1, scale / schema.Step) : scale };
        if (schema is { Kind: TableColumnKind.Number, Lower: not null, Upper: not null }) return raw;
        double[] t = [.. sorted.Select(v => integer ? raw.EdgeT(raw.Steps(v, schema), schema.HeavyTails) : raw.T(v, schema).T)
            .Where(double.IsFinite)];
        var mean = t.Length == 0 ? 0 : t.Average();
        var deviation = t.Length == 0 ? 1 : Spread.Of(t, mean);
        return raw with { Mean = mean, Deviation = deviation > 0 ? deviation : 1 };
    }

    /// <summary>Whether codes can be made with them.</summary>
    public bool AreUsable => Scale > 0 && Deviation > 0 && double.IsFinite(Centre + Scale + Mean + Deviation);

    /// <summary>Code and log-derivative of a number; NaN outside of the bounds, and at them: there is no density.</summary>
    public (double Code, double LogDet) Forward(double x, ColumnSchema schema)
    {
        if (x <= schema.Lower || x >= schema.Upper || !double.IsFinite(x)) return (double.NaN, 0);
        if (schema is { Lower: { } low, Upper: { } high }) return ((x - low) / (high - low), -Math.Log(high - low));
        var (t, logDet) = T(x, schema);
        return ((t - Mean) / Deviation, logDet - Math.Log(Deviation));
    }

    public double Inverse(double code, ColumnSchema schema)
    {
        if (schema is { Lower: { } low, Upper: { } high })
            return Math.Clamp(low + (code * (high - low)), Math.BitIncrement(low), Math.BitDecrement(high));
        var t = (code * Deviation) + Mean;
        if (schema.Lower is { } least) return Math.Max(least + Math.Exp(t), Math.BitIncrement(least));
        if (schema.Upper is { } most) return Math.Min(most - Math.Exp(-t), Math.BitDecrement(most));
        return Centre + (schema.HeavyTails ? Scale * Math.Sinh(t) : t);
    }

    /// <summary>What stands for an atom, in float32: the place that it would have, or one out of reach if it has none.</summary>
    public double AtomCode(double value, ColumnSchema schema)
    {
        if (schema is { Lower: { } low, Upper: { } high }) return (float)((value - low) / (high - low));
        // at a bound of the logarithm, where the code would be infinite
        if (value == schema.Lower) return -AtBound;
        return value == schema.Upper ? AtBound : (float)((T(value, schema).T - Mean) / Deviation);
    }

    /// <summary>The number of steps from the centre; NaN for what is no multiple of the step, or out of bounds.</summary>
    public double Steps(double x, ColumnSchema schema) =>
        x < schema.Lower || x > schema.Upper || !double.IsFinite(x) || !ColumnValues.IsMultiple(x, schema.Step) ? double.NaN
        : Math.Round((x - Centre) / schema.Step);

    public double FromSteps(double steps, ColumnSchema schema)
    {
        // 0.1 three times is not 0.3 otherwise
        var count = Math.Round(Centre / schema.Step) + steps;
        var (inverse, whole) = (1 / schema.Step, Math.Round(1 / schema.Step));
        return schema.Step < 1 && Math.Abs(inverse - whole) < 1e-9 ? count / whole : count * schema.Step;
    }

    /// <summary>The part of a turn, in [0, 1).</summary>
    public static double Turn(double x, ColumnSchema schema)
    {
        var turn = (x - schema.Lower!.Value) / (schema.Upper!.Value - schema.Lower.Value);
        turn -= Math.Floor(turn);
        return double.IsFinite(turn) ? turn < 1 ? turn : 0 : double.NaN;
    }

    public static double FromTurn(double turn, ColumnSchema schema) =>
        schema.Lower!.Value + ((turn - Math.Floor(turn)) * (schema.Upper!.Value - schema.Lower.Value));

    /// <summary>t of the edge of a step.</summary>
    public double EdgeT(double steps, bool heavyTails) => heavyTails ? Math.Asinh(steps / Scale) : steps;

    // far beyond what a code of the line comes to
    private const double AtBound = 16;

    private (double T, double LogDet) T(double x, ColumnSchema schema)
    {
        if (schema.Lower is { } low) return (Math.Log(x - low), -Math.Log(x - low));
        if (schema.Upper is { } high) return (-Math.Log(high - x), -Math.Log(high - x));
        if (!schema.HeavyTails) return (x - Centre, 0);
        var u = (x - Centre) / Scale;
        return (Math.Asinh(u), -Math.Log(Scale) - (0.5 * Kernels.RowDensity.LogOnePlusSquare(u)));
    }
}
