using RealNvp.Plotting;
using RealNvp.Samples.Common;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Reproduce;

/// <summary>The pictures of the page, drawn from the trained models that runs leave beside their checkpoints.</summary>
internal static class GridPictures
{
    private const int Pixels = 80, Points = 1_000_000, Samples = 16;

    private const double Half = 4.5;

    /// <summary>Draws each picture of which all models are there, into the folder of the page's pictures.</summary>
    /// <returns>A line for each picture: its file, or what is missing.</returns>
    public static IReadOnlyList<string> Draw(string checkpoints, string folder)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        return [TwoD(checkpoints, folder), Digits(checkpoints, folder)];
    }

    private static string TwoD(string checkpoints, string folder)
    {
        var recipes = Recipes.All.Where(r => r.Grid == TwoDRecipes.Grid).ToList();
        if (Missing(checkpoints, recipes) is { } missing) return missing;
        string[] models = [.. recipes.Select(r => r.Title).Distinct()];
        string[] data = [.. recipes.Select(r => r.Data.Name).Distinct()];
        var centres = PlotBox.Square(Half).CellCentres(Pixels, Pixels);
        List<Tensor> images = [];
        foreach (var name in data)
        {
            var truth = DensityImage.Histogram(Toy2D.All[name](Points, 3), Half, Pixels);
            // all of a row in the colours of the data, so that a blurred density is seen to be one
            var brightest = DensityImage.Brightest(truth);
            images.Add(DensityImage.Coloured(truth, brightest));
            foreach (var title in models)
            {
                using var flow = Load(checkpoints, recipes.Single(r => r.Data.Name == name && r.Title == title));
                images.Add(DensityImage.Coloured(flow.LogProb(centres).exp().reshape(Pixels, Pixels), brightest));
            }
        }
        return Save(new ImageGrid(stack(images), new() { Range = (0, 1), Scale = 1, Padding = 4, RowTitles = data,
            ColumnTitles = ["data", .. models] }), folder, TwoDPicture);
    }

    private static string Digits(string checkpoints, string folder)
    {
        var recipes = Recipes.All.Where(r => r.Data == DataSets.Digits).ToList();
        if (Missing(checkpoints, recipes) is { } missing) return missing;
        using var splits = DataSets.Digits.Load(null);
        List<Tensor> images = [splits.Test.narrow(0, 0, Samples).to(float32)];
        foreach (var recipe in recipes)
        {
            using var flow = Load(checkpoints, recipe);
            images.Add(flow.Sample(Samples, seed: 1).to(float32).reshape(Samples, 1, 8, 8));
        }
        return Save(new ImageGrid(cat(images), new() { Columns = Samples, Levels = 17, Scale = 5,
            RowTitles = ["data", .. recipes.Select(r => r.Title)] }), folder, DigitsPicture);
    }

    /// <summary>The file of the picture of densities in the plane.</summary>
    public const string TwoDPicture = "results-two-d.png";

    /// <summary>The file of the picture of digits.</summary>
    public const string DigitsPicture = "results-digits.png";

    private static string? Missing(string checkpoints, List<Recipe> recipes)
    {
        string[] missing = [.. recipes.Select(r => r.Name).Where(n => !File.Exists(Run.ModelOf(checkpoints, n)))];
        return missing.Length == 0 ? null : $"no picture, as {checkpoints} lacks the models of {string.Join(", ", missing)}";
    }

    private static FlowModel Load(string checkpoints, Recipe recipe) => FlowModel.Load(Run.ModelOf(checkpoints, recipe.Name));

    private static string Save(ImageGrid grid, string folder, string name)
    {
        var path = Path.Combine(folder, name);
        grid.Save(path);
        return path;
    }
}
