namespace RealNvp.Tests.Tables;

/// <summary>Tables that are made, with columns of all kinds that depend on each other.</summary>
internal static class MixedTables
{
    /// <summary>Purchases: a shop, whether it rained, the hour (a circle), how many things, what was paid (heavy), the part that came
    /// back (bounds, many zeros), a grade of few numbers.</summary>
    public static Table Shop(int rows, int seed = 1)
    {
        var random = new Random(seed);
        var (shop, rain, hour) = (new string[rows], new bool[rows], new double[rows]);
        var (things, paid, back, grade) = (new int[rows], new double[rows], new double[rows], new double[rows]);
        for (var i = 0; i < rows; i++)
        {
            var kind = random.NextDouble() switch { < 0.5 => 0, < 0.8 => 1, _ => 2 };
            shop[i] = ((string[])["garden", "books", "café"])[kind];
            rain[i] = random.NextDouble() < (kind == 0 ? 0.1 : 0.5);
            hour[i] = Modulo((kind == 2 ? 23.5 : 14) + (1.5 * Normal(random)), 24);
            things[i] = Poisson(random, kind == 0 ? 9 : 20);
            paid[i] = Math.Round(Math.Exp(1 + (0.5 * kind) + (0.05 * things[i]) + (0.8 * Normal(random))), 6);
            back[i] = random.NextDouble() < 0.6 ? 0 : Math.Clamp(0.2 + (0.1 * kind) + (0.1 * Normal(random)), 0, 1);
            grade[i] = rain[i] ? 1 : random.Next(1, 4) + 0.5;
        }
        return Table.FromColumns(("shop", shop), ("rain", rain), ("hour", hour), ("things", things), ("paid", paid), ("back", back),
            ("grade", grade));
    }

    /// <summary>Four columns of which two are known to each other by a formula: y = 2 x + noise, and a sign of y that is nearly
    /// sure.</summary>
    public static Table Line(int rows, int seed = 2)
    {
        var random = new Random(seed);
        var (x, y, sign, free) = (new double[rows], new double[rows], new string[rows], new string[rows]);
        for (var i = 0; i < rows; i++)
        {
            x[i] = Normal(random);
            y[i] = (2 * x[i]) + (0.5 * Normal(random));
            sign[i] = y[i] + (0.1 * Normal(random)) > 0 ? "plus" : "minus";
            free[i] = random.Next(2) == 0 ? "a" : "b";
        }
        return Table.FromColumns(("x", x), ("free", free), ("y", y), ("sign", sign));
    }

    /// <summary>The table with some cells missing, by chance alone.</summary>
    public static Table WithHoles(Table table, double share, int seed = 3)
    {
        var random = new Random(seed);
        return Table.FromColumns([.. table.Names.Select(n =>
        {
            var column = table[n];
            TableColumn holed = column.Kind switch
            {
                TableCellKind.Number => column.ToNumbers().Select(v => random.NextDouble() < share ? double.NaN : v).ToArray(),
                TableCellKind.Boolean => column.ToBooleans().Select(v => random.NextDouble() < share ? null : v).ToArray(),
                _ => column.ToTexts().Select(v => random.NextDouble() < share ? null : v).ToArray(),
            };
            return (n, holed);
        })]);
    }

    public static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    private static double Modulo(double x, double period) => x - (period * Math.Floor(x / period));

    private static int Poisson(Random random, double mean)
    {
        var (count, product) = (0, random.NextDouble());
        for (; product > Math.Exp(-mean); count++) product *= random.NextDouble();
        return count;
    }
}
