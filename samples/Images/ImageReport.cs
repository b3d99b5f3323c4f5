using System.Globalization;
using RealNvp.Plotting;
using RealNvp.Samples.Common;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Samples.Images;

/// <summary>Pictures and numbers that show what a trained model can do.</summary>
internal static class ImageReport
{
    private static readonly double[] temperatures = [0.5, 0.7, 0.8, 0.9, 1.0];

    public static void WriteAll(RealNvpModel model, ImageSplit split, int seed, string folder)
    {
        Samples(model, 64, 1, seed, folder);
        Temperatures(model, seed, folder);
        Reconstructions(model, split.Test, seed, folder);
        Interpolation(model, split.Test, 8, seed, folder);
        Evaluate(model, split.Test, seed, folder);
    }

    public static void Samples(RealNvpModel model, int count, double temperature, int seed, string folder)
    {
        if (count < 1) throw new ArgumentException($"--count must be at least 1; got {count}.");
        using var images = model.Sample(count, temperature: temperature, seed: seed);
        Save(new ImageGrid(images, new ImageGridOptions { Levels = model.Options.Levels }), folder, "samples.png");
    }

    public static void Temperatures(RealNvpModel model, int seed, string folder)
    {
        using var scope = NewDisposeScope();
        // the same latents in each row: one sees what the temperature alone does
        var images = cat([.. temperatures.Select(t => model.Sample(10, temperature: t, seed: seed))]);
        var titles = temperatures.Select(t => "T = " + t.ToString("F1", CultureInfo.InvariantCulture)).ToArray();
        Save(new ImageGrid(images, new ImageGridOptions { Levels = model.Options.Levels, Columns = 10, RowTitles = titles }), folder, "temperatures.png");
    }

    /// <summary>Test images, their exact reconstruction, and what is left when the fine latents are forgotten.</summary>
    public static void Reconstructions(RealNvpModel model, ImageDataset test, int seed, string folder)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var x = Pick(test, 10, seed).to(model.parameters().First().device);
        var z = model.Encode(x, seed: seed);
        var rows = new List<Tensor> { x.to(z.dtype), model.Decode(z) };
        var titles = new List<string> { "data", "all latents" };
        var parts = model.SplitLatent(z);
        for (var kept = parts.Length - 1; kept >= 1; kept--)
        {
            // the first parts hold the details; 0 is their mean
            var coarse = parts.Select((part, i) => i < parts.Length - kept ? zeros_like(part) : part).ToArray();
            rows.Add(model.Decode(model.JoinLatent(coarse)));
            titles.Add(FormattableString.Invariant($"coarse {100.0 * coarse.Skip(parts.Length - kept).Sum(p => p.numel()) / z.numel():F0} %"));
        }
        Save(new ImageGrid(cat(rows), new ImageGridOptions { Levels = model.Options.Levels, Columns = 10, RowTitles = titles }), folder, "reconstructions.png");
    }

    public static void Interpolation(RealNvpModel model, ImageDataset test, int steps, int seed, string folder)
    {
        if (steps < 2) throw new ArgumentException($"--steps must be at least 2; got {steps}.");
        using var scope = NewDisposeScope();
        var x = Pick(test, 4, seed).to(model.parameters().First().device);
        var grid = model.Interpolate(x, steps, seed: seed).flatten(0, 1);
        Save(new ImageGrid(grid, new ImageGridOptions { Levels = model.Options.Levels, Columns = steps }), folder, "interpolations.png");
    }

    public static void Evaluate(RealNvpModel model, ImageDataset test, int seed, string folder)
    {
        var result = model.Evaluate(test.Images, seed: seed);
        var text = FormattableString.Invariant($"""
            test images        {result.Count}
            bits/dim           {result.BitsPerDim:F4}
            log-likelihood     {result.MeanLogProb:F2} ± {result.StandardError:F2} nats an image
            """);
        Console.WriteLine(text);
        var path = Path.Combine(folder, "evaluation.txt");
        File.WriteAllText(path, text + Environment.NewLine);
        Console.WriteLine($"wrote {path}");
    }

    /// <summary>Images of different classes where there are labels, drawn by the seed.</summary>
    private static Tensor Pick(ImageDataset data, int count, int seed)
    {
        var random = new Random(seed);
        var order = Enumerable.Range(0, data.Count).OrderBy(_ => random.Next()).Select(i => (long)i).ToList();
        if (data.Labels is { } labels)
        {
            var label = labels.to(ScalarType.Int64).data<long>().ToArray();
            var firsts = order.DistinctBy(i => label[i]).OrderBy(i => label[i]).Take(count).ToList();
            order = [.. firsts, .. order.Except(firsts)];
        }
        return data.Images.index_select(0, tensor(order.Take(count).ToArray()));
    }

    private static void Save(ImageGrid picture, string folder, string name)
    {
        var path = Path.Combine(folder, name);
        picture.Save(path);
        Console.WriteLine($"wrote {path}");
    }
}
