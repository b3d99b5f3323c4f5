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
        Samples(model, null, 1, seed, folder);
        Temperatures(model, seed, folder);
        Reconstructions(model, split.Test, seed, folder);
        Interpolation(model, split.Test, 8, seed, folder);
        Evaluate(model, split.Test, seed, folder);
    }

    /// <summary>A grid of samples; a conditional model has a row for each class.</summary>
    public static void Samples(FlowModel model, int? count, double temperature, int seed, string folder)
    {
        SampleProgram.AtLeast("--count", count ?? 1, 1);
        using var scope = NewDisposeScope();
        var classes = model.ContextSize;
        var options = new ImageGridOptions { Levels = model.ModelOptions.Levels };
        if (classes == 0)
        {
            Save(new ImageGrid(model.Sample(count ?? 64, temperature: temperature, seed: seed), options), folder, "samples.png");
            return;
        }
        // all classes get the same number
        var each = count is { } c ? (int)((c + classes - 1) / classes) : 10;
        var images = model.Sample(each, Classes.All(model), temperature, seed).flatten(0, 1);
        Save(new ImageGrid(images, options with { Columns = each, RowTitles = [.. Enumerable.Range(0, (int)classes)
            .Select(i => i.ToString(CultureInfo.InvariantCulture))] }), folder, "samples.png");
    }

    public static void Temperatures(RealNvpModel model, int seed, string folder)
    {
        using var scope = NewDisposeScope();
        // the same latents in each row: one sees what the temperature alone does
        var images = temperatures.Select(t => model.ContextSize == 0 ? model.Sample(10, temperature: t, seed: seed)
            : model.Sample(1, Classes.All(model), t, seed).flatten(0, 1)).ToArray();
        var titles = temperatures.Select(t => "T = " + t.ToString("F1", CultureInfo.InvariantCulture)).ToArray();
        Save(new ImageGrid(cat(images), new ImageGridOptions { Levels = model.Options.Levels, Columns = (int)images[0].shape[0],
            RowTitles = titles }), folder, "temperatures.png");
    }

    /// <summary>Test images, their exact reconstruction, and what is left when the fine latents are forgotten.</summary>
    public static void Reconstructions(RealNvpModel model, ImageDataset test, int seed, string folder)
    {
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var (x, context) = Pick(model, test, 10, seed);
        var z = model.Encode(x, context, seed);
        var rows = new List<Tensor> { x.to(z.dtype), model.Decode(z, context) };
        var titles = new List<string> { "data", "all latents" };
        var parts = model.SplitLatent(z);
        for (var kept = parts.Length - 1; kept >= 1; kept--)
        {
            // the first parts hold the details; 0 is their mean
            var coarse = parts.Select((part, i) => i < parts.Length - kept ? zeros_like(part) : part).ToArray();
            rows.Add(model.Decode(model.JoinLatent(coarse), context));
            titles.Add(FormattableString.Invariant(
                $"coarse {100.0 * coarse.Skip(parts.Length - kept).Sum(p => p.numel()) / z.numel():F0} %"));
        }
        Save(new ImageGrid(cat(rows), new ImageGridOptions { Levels = model.Options.Levels, Columns = 10, RowTitles = titles }), folder,
            "reconstructions.png");
    }

    public static void Interpolation(RealNvpModel model, ImageDataset test, int steps, int seed, string folder)
    {
        SampleProgram.AtLeast("--steps", steps, 2);
        using var scope = NewDisposeScope();
        var (x, context) = Pick(model, test, 4, seed);
        var grid = model.Interpolate(x, steps, context: context, seed: seed).flatten(0, 1);
        Save(new ImageGrid(grid, new ImageGridOptions { Levels = model.Options.Levels, Columns = steps }), folder, "interpolations.png");
    }

    public static void Evaluate(FlowModel model, ImageDataset test, int seed, string folder)
    {
        var text = model.ContextSize == 0 ? Report(model.Evaluate(test.Images, seed: seed)) : EvaluateClasses(model, test, seed);
        Console.WriteLine(text);
        var path = Path.Combine(folder, "evaluation.txt");
        File.WriteAllText(path, text + Environment.NewLine);
        Console.WriteLine($"wrote {path}");
    }

    private static string Report(Evaluation result) => FormattableString.Invariant($"""
        test images        {result.Count}
        bits/dim           {result.BitsPerDim:F4}{(result.Likelihood.IsBound ? " (an upper bound: the pixels are dequantized)" : "")}
        log-likelihood     {result.MeanLogProb:F2} ± {result.StandardError:F2} nats an image
        """);

    private static string EvaluateClasses(FlowModel model, ImageDataset test, int seed)
    {
        using var scope = NewDisposeScope();
        var parts = Enumerable.Range(0, (test.Count + 255) / 256)
            .Select(i => Classes.Sum(model,
                test.Images.narrow(0, 256 * i, Math.Min(256, test.Count - (256 * i))).to(Classes.DeviceOf(model)), seed + i)).ToArray();
        var values = cat([.. parts.Select(p => p.LogProb)]).to(float64).cpu().data<double>().ToArray();
        var mean = values.Average();
        var error = Math.Sqrt(values.Sum(v => (v - mean) * (v - mean)) / Math.Max(1, values.Length - 1) / values.Length);
        var report = Report(new() { Count = values.Length, MeanLogProb = mean, StandardError = error,
            BitsPerDim = -mean / (model.InputShape.NumElements * Math.Log(2)), Likelihood = model.Likelihood }) +
            $"{Environment.NewLine}                   log p(x), exact: the sum over the {model.ContextSize} classes";
        if (test.Labels is not { } labels) return report;
        var right = cat([.. parts.Select(p => p.Best)]).cpu().eq(labels.to(ScalarType.Int64)).sum().ToInt64();
        return report + FormattableString.Invariant(
            $"{Environment.NewLine}class told right   {100.0 * right / values.Length:F1} % (the class of the largest p(x | class))");
    }

    /// <summary>Images of different classes where there are labels, drawn by the seed.</summary>
    private static (Tensor X, Tensor? Context) Pick(RealNvpModel model, ImageDataset data, int count, int seed)
    {
        var random = new Random(seed);
        var order = Enumerable.Range(0, data.Count).OrderBy(_ => random.Next()).Select(i => (long)i).ToList();
        if (data.Labels is { } labels)
        {
            var label = labels.to(ScalarType.Int64).data<long>().ToArray();
            var firsts = order.DistinctBy(i => label[i]).OrderBy(i => label[i]).Take(count).ToList();
            order = [.. firsts, .. order.Except(firsts)];
        }
        var rows = tensor(order.Take(count).ToArray());
        return (data.Images.index_select(0, rows).to(Classes.DeviceOf(model)), Classes.OneHot(model, data.Labels?.index_select(0, rows),
            rows.shape[0]));
    }

    private static void Save(ImageGrid picture, string folder, string name)
    {
        var path = Path.Combine(folder, name);
        picture.Save(path);
        Console.WriteLine($"wrote {path}");
    }
}
