using System.Globalization;
using RealNvp.Plotting;
using RealNvp.Samples.Common;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Samples.Density2D;

/// <summary>All models that a folder holds on one sheet, a row for each density, and their scores in a table.</summary>
internal static class ToySheet
{
    private const int Pixels = 96, Points = 1_000_000, Seed = 2;

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
            var truth = DensityImage.Histogram(Toy2D.All[name](Points, Seed), Box.XMax, Pixels);
            // all of a row in the colours of the data, so that a blurred density is seen to be one
            var brightest = DensityImage.Brightest(truth);
            images.Add(DensityImage.Coloured(truth, brightest));
            foreach (var model in models)
                images.Add(Has(model, name) ? DensityImage.Coloured(Density(File(model, name, ".safetensors")), brightest)
                    : ones(3, Pixels, Pixels));
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

    private static Tensor Density(string path)
    {
        using var flow = FlowModel.Load(path);
        return flow.LogProb(Box.CellCentres(Pixels, Pixels)).exp().reshape(Pixels, Pixels);
    }
}
