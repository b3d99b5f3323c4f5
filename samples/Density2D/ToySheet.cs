using System.Globalization;
using RealNvp.Plotting;
using RealNvp.Samples.Common;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Samples.Density2D;

/// <summary>All models that a folder holds on one sheet, a row for each density, and their scores in a table.</summary>
internal static class ToySheet
{
    // few shades between two colours make a small file, and nobody sees them
    private const int Pixels = 96, Points = 1_000_000, Seed = 2, Shades = 6;

    /// <summary>The part of the plane that pictures show.</summary>
    public static PlotBox Box { get; } = PlotBox.Square(4.5);

    /// <summary>The densities, by name.</summary>
    public static string[] Data { get; } = [.. Toy2D.All.Keys.Order()];

    /// <summary>Writes sheet.png and table.md, and shows the table.</summary>
    /// <param name="folder">The folder, with one inside for each model.</param>
    /// <exception cref="FileNotFoundException">It holds no model.</exception>
    public static void Write(string folder)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        string File(string model, string name, string end) => Path.Combine(folder, model, name + end);
        bool Has(string model, string name) => System.IO.File.Exists(File(model, name, ".safetensors"));
        var models = ToyModels.All.Keys.Where(m => Array.Exists(Data, d => Has(m, d))).ToArray();
        var rows = Data.Where(d => Array.Exists(models, m => Has(m, d))).ToArray();
        if (rows.Length == 0) throw new FileNotFoundException($"{folder} holds no model. Train one first: leave out --sheet.");

        var table = $"| data | {string.Join(" | ", models)} |\n|---|{string.Concat(models.Select(_ => "---|"))}\n";
        List<Tensor> images = [];
        foreach (var name in rows)
        {
            var truth = Histogram(name);
            // all of a row in the colours of the data, so that a blurred density is seen to be one
            var brightest = truth.flatten().sort(descending: true).Values[Pixels * Pixels / 200].item<float>();
            images.Add(Coloured(truth, brightest));
            foreach (var model in models)
                images.Add(Has(model, name) ? Coloured(Density(File(model, name, ".safetensors")), brightest) : ones(3, Pixels, Pixels));
            var cells = models.Select(m => Has(m, name) ? Text(ToyResult.Load(File(m, name, ".json"))) : "");
            table += $"| {name} | {string.Join(" | ", cells)} |\n";
        }
        var sheet = Path.Combine(folder, "sheet.png");
        new ImageGrid(stack(images), new() { Range = (0, 1), Scale = 1, Padding = 4, RowTitles = rows, ColumnTitles = ["data", .. models] })
            .Save(sheet);
        System.IO.File.WriteAllText(Path.Combine(folder, "table.md"), table);
        Console.WriteLine(table);
        Console.WriteLine($"wrote {sheet}");
    }

    private static string Text(ToyResult result) => string.Create(CultureInfo.InvariantCulture,
        $"{result.MeanLogProb:F3} ({result.Training:F0} s, {result.Scoring:G2} s)");

    // the density of many points in each cell, (rows, columns) from the lower left
    private static Tensor Histogram(string name)
    {
        var points = Toy2D.All[name](Points, Seed).data<float>().ToArray();
        var cells = new float[Pixels, Pixels];
        var size = (Box.XMax - Box.XMin) / Pixels;
        for (var i = 0; i < points.Length; i += 2)
        {
            var (column, row) = ((int)Math.Floor((points[i] - Box.XMin) / size), (int)Math.Floor((points[i + 1] - Box.YMin) / size));
            if (column is >= 0 and < Pixels && row is >= 0 and < Pixels) cells[row, column] += (float)(1 / (Points * size * size));
        }
        return tensor(cells);
    }

    private static Tensor Density(string path)
    {
        using var flow = FlowModel.Load(path);
        return flow.LogProb(Box.CellCentres(Pixels, Pixels)).exp().reshape(Pixels, Pixels);
    }

    // (3, rows, columns) from the top, black over violet and orange to a light yellow
    private static Tensor Coloured(Tensor density, float brightest)
    {
        var part = density.div(brightest).clamp(0, 1).flip(0).mul((colours.Length - 1) * Shades).round().div(Shades);
        var low = part.floor().clamp_max(colours.Length - 2);
        var weight = part - low;
        var stops = tensor(colours.SelectMany(c => c).ToArray(), colours.Length, 3);
        Tensor At(Tensor index) => stops.index_select(0, index.to(int64).flatten()).reshape(Pixels, Pixels, 3);
        return At(low).lerp(At(low + 1), weight.unsqueeze(2)).permute(2, 0, 1).contiguous();
    }

    // nine of the colours of viridis, as in the other pictures
    private static readonly float[][] colours =
    [
        [0.267f, 0.005f, 0.329f], [0.283f, 0.141f, 0.458f], [0.254f, 0.265f, 0.530f], [0.207f, 0.372f, 0.553f], [0.164f, 0.471f, 0.558f],
        [0.128f, 0.567f, 0.551f], [0.267f, 0.749f, 0.441f], [0.627f, 0.857f, 0.225f], [0.993f, 0.906f, 0.144f],
    ];
}
