#!/usr/bin/env dotnet
#:project ../../src/RealNvp
#:project ../../src/RealNvp.Plotting
#:package TorchSharp-cpu
#:property PublishAot=false

// A density of a table with columns of mixed kinds, and samples beside the data:
//   dotnet run samples/guides/mixed-tables.cs                      two tables that are made, shop and line
//   dotnet run samples/guides/mixed-tables.cs -- a.csv b.csv ...   tables of yours
// writes the tables to the console and corner plots mixed-NAME.png to docs/images, or to the folder that --out= names.

using RealNvp;
using RealNvp.Plotting;
using TorchSharp;

torch.set_num_threads(1);
var folder = args.FirstOrDefault(a => a.StartsWith("--out=", StringComparison.Ordinal))?[6..] ?? Path.Combine("docs", "images");
var files = args.Where(a => !a.StartsWith("--", StringComparison.Ordinal)).ToArray();
var tables = files.Length > 0 ? files.Select(f => (Path.GetFileNameWithoutExtension(f), Table.ReadCsv(f)))
    : [("shop", Shop(3000)), ("line", Line(3000))];
foreach (var (name, read) in tables)
{
    // numbers of rows, as R writes them, are no column
    var table = read.Names[0] is "row" or "id" ? read.Without(read.Names[0]) : read;
    Console.WriteLine($"## {name}\n{TableSchema.Propose(table)}");
    using var flow = TableFlow.Fit(table);
    Console.WriteLine(flow.Report);
    var samples = flow.Sample(Math.Max(2000, table.RowCount), seed: 1);
    Console.WriteLine(TableComparison.Of(table, samples));
    // pictures have no missing cells: rows that are whole
    var (data, drawn) = (flow.ToNumbers(table), flow.ToNumbers(samples));
    var whole = Enumerable.Range(0, table.RowCount)
        .Where(r => Enumerable.Range(0, data.GetLength(1)).All(c => !double.IsNaN(data[r, c]))).ToArray();
    string[] names = [.. flow.Schema.Columns.Select(c => c.Name)];
    new CornerPlot(Some(data, whole), drawn, new() { Names = names, Title = $"{name}: data and samples",
        Features = [.. Enumerable.Range(0, Math.Min(7, names.Length))], PanelSize = 95 }).Save(Path.Combine(folder, $"mixed-{name}.png"));
}

static double[,] Some(double[,] rows, int[] chosen)
{
    var some = new double[chosen.Length, rows.GetLength(1)];
    for (var r = 0; r < chosen.Length; r++)
        for (var c = 0; c < some.GetLength(1); c++) some[r, c] = rows[chosen[r], c];
    return some;
}

// purchases: shop, rain, hour (a circle), things (whole), paid (heavy), the part that came back (many zeros), a grade
static Table Shop(int rows)
{
    var random = new Random(1);
    var (shop, rain, hour, things) = (new string[rows], new bool[rows], new double[rows], new int[rows]);
    var (paid, back, grade) = (new double[rows], new double[rows], new double[rows]);
    for (var i = 0; i < rows; i++)
    {
        var kind = random.NextDouble() switch { < 0.5 => 0, < 0.8 => 1, _ => 2 };
        (shop[i], rain[i]) = (((string[])["garden", "books", "café"])[kind], random.NextDouble() < (kind == 0 ? 0.1 : 0.5));
        hour[i] = ((kind == 2 ? 23.5 : 14) + (1.5 * Normal(random)) + 24) % 24;
        things[i] = (int)Math.Max(0, Math.Round((kind == 0 ? 9 : 20) + (3 * Normal(random))));
        paid[i] = Math.Exp(1 + (0.5 * kind) + (0.05 * things[i]) + (0.8 * Normal(random)));
        back[i] = random.NextDouble() < 0.6 ? 0 : Math.Clamp(0.2 + (0.1 * kind) + (0.1 * Normal(random)), 0, 1);
        grade[i] = rain[i] ? 1 : random.Next(1, 4) + 0.5;
    }
    return Table.FromColumns(("shop", shop), ("rain", rain), ("hour", hour), ("things", things), ("paid", paid), ("back", back),
        ("grade", grade));
}

// two numbers that belong together, the sign of the second, and a coin
static Table Line(int rows)
{
    var random = new Random(2);
    var (x, y, sign, free) = (new double[rows], new double[rows], new string[rows], new string[rows]);
    for (var i = 0; i < rows; i++)
    {
        x[i] = Normal(random);
        y[i] = (2 * x[i]) + (0.5 * Normal(random));
        (sign[i], free[i]) = (y[i] + (0.1 * Normal(random)) > 0 ? "plus" : "minus", random.Next(2) == 0 ? "a" : "b");
    }
    return Table.FromColumns(("x", x), ("free", free), ("y", y), ("sign", sign));
}

static double Normal(Random random) =>
    Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
