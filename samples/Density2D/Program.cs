using System.CommandLine;
using System.Diagnostics;
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
            Description = string.Join("; ", ToyModels.All.Select(m => $"{m.Key}: {m.Value.Description}")),
            DefaultValueFactory = _ => ToyModels.Default,
        };
        Option<int> steps = new("--steps") { Description = "the number of training steps", DefaultValueFactory = _ => 3000 };
        Option<string> folder = new("--out") { Description = "the folder of the pictures", DefaultValueFactory = _ => "out/density2d" };
        Option<int> seed = new("--seed") { Description = "seeds data, weights and training; 0 or more", DefaultValueFactory = _ => 0 };
        var device = SampleProgram.DeviceOption();
        RootCommand command = new("Fits normalizing flows to densities in the plane.") { data, model, steps, device, folder, seed };
        command.SetAction(parsed => Run(parsed.GetValue(data)!, parsed.GetValue(model)!, parsed.GetValue(steps), parsed.GetValue(device)!,
            parsed.GetValue(folder)!, parsed.GetValue(seed)));
        return SampleProgram.Run(command, args);
    }

    private static int Run(string data, string model, int steps, string deviceName, string folder, int seed)
    {
        var names = data == "all" ? Toy2D.All.Keys.Order().ToArray() : [data];
        if (!Toy2D.All.ContainsKey(names[0]))
            throw new ArgumentException($"There is no data set '{data}'; expected all, {string.Join(", ", Toy2D.All.Keys.Order())}.");
        if (!ToyModels.All.TryGetValue(model, out var toy))
            throw new ArgumentException($"There is no model '{model}'; expected {string.Join(", ", ToyModels.All.Keys)}.");
        SampleProgram.AtLeast("--steps", steps, 1);
        SampleProgram.AtLeast("--seed", seed, 0);
        TorchBackend.EnsureAvailable();
        var device = SampleProgram.DeviceOf(deviceName);
        // on networks this small, several threads mostly wait for each other
        set_num_threads(1);
        Directory.CreateDirectory(folder);
        Console.WriteLine($"{"data",-16} {"held-out log p(x), nats",24} {"seconds",8}  picture");
        foreach (var name in names)
        {
            var watch = Stopwatch.StartNew();
            var path = Path.Combine(folder, $"{name}.png");
            var result = Fit(name, toy, steps, device, seed, path);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{name,-16} {result.MeanLogProb,15:F4} ± {result.StandardError:F4} {watch.Elapsed.TotalSeconds,8:F1}  {path}"));
        }
        return 0;
    }

    private static Evaluation Fit(string name, ToyModel model, int steps, Device device, int seed, string path)
    {
        using var scope = NewDisposeScope();
        var training = Toy2D.All[name](TrainingPoints, seed);
        var heldOut = Toy2D.All[name](HeldOutPoints, seed == int.MaxValue ? 0 : seed + 1);

        using var flow = model.New(name, seed);
        flow.to(device);
        using var bar = new ProgressBar(name, steps, "steps");
        using var trainer = new Trainer(flow, model.Objective, model.Training(TrainingOptions.For(flow.ModelOptions) with
        {
            MaxSteps = steps,
            Epochs = 1 + (int)((long)steps * BatchSize / TrainingPoints),
            BatchSize = BatchSize,
            LearningRate = 1e-3,
            AverageDecay = 0.995,
            Schedule = new CosineSchedule { WarmUpSteps = 100 },
            // there are as many points as one likes, so none is learned by heart
            ValidationFraction = 0,
            Seed = seed,
        }));
        trainer.Fit(TrainingData.From(training), progress: new Report<TrainingProgress>(p => bar.Report(p.Step,
            string.Create(CultureInfo.InvariantCulture, $"loss {p.Loss:F3}"))));

        var result = flow.Evaluate(heldOut, batchSize: 4096);
        var title = string.Create(CultureInfo.InvariantCulture, $"{name}: {result.MeanLogProb:F3} nats a point, held out");
        new DensityPanels(flow, heldOut.narrow(0, 0, DrawnPoints), seed: seed, options: new() { Title = title, Box = PlotBox.Square(4.5) })
            .Save(path);
        return result;
    }
}
