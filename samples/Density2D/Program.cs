using System.CommandLine;
using System.Globalization;
using RealNvp;
using RealNvp.Plotting;
using RealNvp.Samples.Common;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Samples.Density2D;

/// <summary>Fits a flow to each of six densities in the plane, and draws data, density, samples and the warped latent grid.</summary>
public static class Program
{
    private const int TrainingPoints = 100_000, HeldOutPoints = 20_000, DrawnPoints = 8_000, BatchSize = 256;

    /// <summary>Runs the sample.</summary>
    /// <param name="args">The command line; <c>--help</c> lists the options.</param>
    /// <returns>0, or 1 after an error.</returns>
    public static int Main(string[] args)
    {
        Option<string> data = new("--data") { Description = $"all, or one of {string.Join(", ", Toy2D.All.Keys.Order())}",
            DefaultValueFactory = _ => "all" };
        Option<string> model = new("--model")
        {
            Description = string.Join("; ", ToyModels.All.Select(m => $"{m.Key}: {m.Value.Description}")) + "; or all",
            DefaultValueFactory = _ => ToyModels.Default,
        };
        Option<int> steps = new("--steps") { Description = "the number of training steps; 0 takes that of the model" };
        Option<string> folder = new("--out") { Description = "the folder of the pictures", DefaultValueFactory = _ => "out/density2d" };
        Option<int> seed = new("--seed") { Description = "seeds data, weights and training; 0 or more", DefaultValueFactory = _ => 0 };
        Option<bool> sheet = new("--sheet") { Description = "train nothing: draw what is in the folder on one sheet, with a table" };
        var device = SampleProgram.DeviceOption();
        RootCommand command = new("Fits normalizing flows to densities in the plane.") { data, model, steps, device, folder, seed,
            sheet };
        command.SetAction(parsed => Run(parsed.GetValue(data)!, parsed.GetValue(model)!, parsed.GetValue(steps), parsed.GetValue(device)!,
            parsed.GetValue(folder)!, parsed.GetValue(seed), parsed.GetValue(sheet)));
        return SampleProgram.Run(command, args);
    }

    private static int Run(string data, string model, int steps, string deviceName, string folder, int seed, bool sheet)
    {
        var names = data == "all" ? ToySheet.Data : [data];
        if (!Toy2D.All.ContainsKey(names[0]))
            throw new ArgumentException($"There is no data set '{data}'; expected all, {string.Join(", ", ToySheet.Data)}.");
        string[] models = model == "all" ? [.. ToyModels.All.Keys] : [model];
        if (!ToyModels.All.ContainsKey(models[0]))
            throw new ArgumentException($"There is no model '{model}'; expected all, {string.Join(", ", ToyModels.All.Keys)}.");
        SampleProgram.AtLeast("--steps", steps, 0);
        SampleProgram.AtLeast("--seed", seed, 0);
        TorchBackend.EnsureAvailable();
        var device = SampleProgram.DeviceOf(deviceName);
        // on networks this small, several threads mostly wait for each other
        set_num_threads(1);
        if (!sheet)
        {
            Console.WriteLine($"{"data",-16} {"model",-9} {"held-out log p(x), nats",24} {"training",10} {"scoring",9}  picture");
            foreach (var name in names)
                foreach (var kind in models)
                {
                    Directory.CreateDirectory(Path.Combine(folder, kind));
                    var result = Fit(name, kind, steps, device, seed, Path.Combine(folder, kind, name));
                    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                        $"{name,-16} {kind,-9} {result.MeanLogProb,15:F4} ± {result.StandardError:F4} {result.Training,8:F1} s "
                        + $"{result.Scoring,7:F1} s  {Path.Combine(folder, kind, name)}.png"));
                }
        }
        if (sheet || models.Length > 1) ToySheet.Write(folder);
        return 0;
    }

    private static ToyResult Fit(string name, string kind, int steps, Device device, int seed, string path)
    {
        using var scope = NewDisposeScope();
        var model = ToyModels.All[kind];
        if (steps == 0) steps = model.Steps;
        var training = Toy2D.All[name](TrainingPoints, seed);
        var heldOut = Toy2D.All[name](HeldOutPoints, seed == int.MaxValue ? 0 : seed + 1);

        using var flow = model.New(name, seed);
        flow.to(device);
        using var bar = new ProgressBar($"{name}, {kind}", steps, "steps");
        var options = model.Training(TrainingOptions.For(flow.ModelOptions) with
        {
            MaxSteps = steps,
            BatchSize = BatchSize,
            LearningRate = 1e-3,
            AverageDecay = 0.995,
            Schedule = new CosineSchedule { WarmUpSteps = 100 },
            // there are as many points as one likes, so none is learned by heart
            ValidationFraction = 0,
            Seed = seed,
        });
        using var trainer = new Trainer(flow, model.Objective, options with
        {
            Epochs = 1 + (int)((long)steps * options.BatchSize / TrainingPoints),
        });
        // processor time: that of one thread, whatever else the computer does
        var start = Environment.CpuUsage.TotalTime;
        trainer.Fit(TrainingData.From(training), progress: new Report<TrainingProgress>(p => bar.Report(p.Step,
            string.Create(CultureInfo.InvariantCulture, $"loss {p.Loss:F3}"))));
        var trained = Environment.CpuUsage.TotalTime;

        var score = flow.Evaluate(heldOut, batchSize: 4096);
        var result = new ToyResult(score.MeanLogProb, score.StandardError, (trained - start).TotalSeconds,
            (Environment.CpuUsage.TotalTime - trained).TotalSeconds);
        // with the minus sign of the axes
        var title = string.Create(CultureInfo.InvariantCulture, $"{name}, {kind}: {result.MeanLogProb:F3} nats a point, held out")
            .Replace(": -", ": −", StringComparison.Ordinal);
        new DensityPanels(flow, heldOut.narrow(0, 0, DrawnPoints), seed: seed, options: new() { Title = title, Box = ToySheet.Box })
            .Save($"{path}.png");
        flow.Save($"{path}.safetensors");
        result.Save($"{path}.json");
        return result;
    }
}
