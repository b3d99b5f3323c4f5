using System.CommandLine;
using RealNvp.Samples.Common;

namespace RealNvp.Samples.Images;

/// <summary>The command line: <c>train</c> (also without arguments), <c>sample</c>,
/// <c>evaluate</c>, <c>interpolate</c>, <c>matching</c>.</summary>
public static class Program
{
    private static readonly Option<string?> data =
        new("--data") {
            Description =
            "Folder with MNIST, Fashion-MNIST (idx) or CIFAR-10 (binary), plain, .gz or .br. Default: the 8x8 digits that ship with the " +
            "sample." };
    private static readonly Option<string> output = new("--out") { Description = "Folder for pictures, reports and the model.",
        DefaultValueFactory = _ => Path.Combine("out", "images") };
    private static readonly Option<string> device = SampleProgram.DeviceOption();
    private static readonly Option<int> seed = new("--seed") { Description = "Seed of weights, noise and samples.",
        DefaultValueFactory = _ => 1 };
    private static readonly Option<string?> model = new("--model") { Description = "Model file. Default: model.safetensors in --out." };
    private static readonly Option<int?> epochs =
        new("--epochs") { Description = "Passes over the training data. Default: 30 for the digits, 20 otherwise." };
    private static readonly Option<int> batch = new("--batch") { Description = "Examples of a batch.", DefaultValueFactory = _ => 64 };
    private static readonly Option<double> rate = new("--learning-rate") { Description = "Adam's learning rate.",
        DefaultValueFactory = _ => 2e-3 };
    private static readonly Option<int?> limit = new("--limit") { Description = "Use only so many training images." };
    private static readonly Option<int?> scales =
        new("--scales") { Description = "Scales of the model. Default: as in the preset for the image size." };
    private static readonly Option<int?> blocks =
        new("--blocks") { Description = "Residual blocks of each network. Default: as in the preset." };
    private static readonly Option<int?> hidden =
        new("--hidden") { Description = "Channels of the networks at the first scale. Default: as in the preset." };
    private static readonly Option<bool> resume = new("--resume") { Description = "Go on with the training whose checkpoint is in --out." };
    private static readonly Option<bool> mpi = new("--mpi") {
        Description = "Train on the processes that mpirun has started, each with its part of the images." };
    private static readonly Option<bool?> conditional = new("--conditional") {
        Description = "Learn the density of an image given its label: true or false. Default: true for the digits, false otherwise." };
    private static readonly Option<int?> count = new("--count") { Description = "Number of samples. Default: 64, or 10 of each class." };
    private static readonly Option<double> temperature =
        new("--temperature") { Description = "Scale of the latents; smaller gives more typical images.", DefaultValueFactory = _ => 1.0 };
    private static readonly Option<int> steps = new("--steps") { Description = "Rows and columns of the grid.",
        DefaultValueFactory = _ => 8 };

    /// <summary>Runs the command; 0 is success, 1 an error that was explained on the error stream.</summary>
    public static int Main(string[] args)
    {
        var train = new Command("train", "Train a Real NVP, then write samples, reconstructions, interpolations and bits/dim.") { data,
            epochs, batch, rate, limit, scales, blocks, hidden, conditional, resume, mpi, device, output, seed };
        train.SetAction((parsed,
            cancel) => Task.FromResult(Done(() => ImageProcesses.Run(parsed.GetValue(mpi), exchange => new ImageTraining
        {
            Data = parsed.GetValue(data),
            Epochs = parsed.GetValue(epochs),
            Batch = parsed.GetValue(batch),
            LearningRate = parsed.GetValue(rate),
            Limit = parsed.GetValue(limit),
            Scales = parsed.GetValue(scales),
            Blocks = parsed.GetValue(blocks),
            Hidden = parsed.GetValue(hidden),
            Conditional = parsed.GetValue(conditional),
            Resume = parsed.GetValue(resume),
            Device = parsed.GetValue(device)!,
            Output = parsed.GetValue(output)!,
            Seed = parsed.GetValue(seed),
            Exchange = exchange,
        }.Run(cancel)))));

        var sample = new Command("sample", "Draw images from a trained model.") { model, count, temperature, device, output, seed };
        sample.SetAction(parsed => Done(() => Trained(parsed, (m, folder) =>
            ImageReport.Samples(m, parsed.GetValue(count), parsed.GetValue(temperature), parsed.GetValue(seed), folder))));

        var evaluate = new Command("evaluate", "Measure bits/dim of a trained model on the test images.") { model, data, device, output,
            seed };
        evaluate.SetAction(parsed => Done(() => Trained(parsed, (m, folder) =>
        {
            using var split = ImageTraining.Open(parsed.GetValue(data));
            ImageReport.Evaluate(m, split.Test, parsed.GetValue(seed), folder);
        })));

        var interpolate = new Command("interpolate", "Draw the interpolation between four test images.") { model, data, steps, device,
            output, seed };
        interpolate.SetAction(parsed => Done(() => Trained(parsed, (m, folder) =>
        {
            using var split = ImageTraining.Open(parsed.GetValue(data));
            ImageReport.Interpolation(m, split.Test, parsed.GetValue(steps), parsed.GetValue(seed), folder);
        })));

        var matched = new Option<int>("--epochs") { Description = "Passes over the training data.", DefaultValueFactory = _ => 300 };
        var folder = new Option<string>("--out") { Description = "Folder for pictures, report and the model.",
            DefaultValueFactory = _ => Path.Combine("out", "matching") };
        var matching = new Command("matching",
            "Train a continuous flow by flow matching on small images, then write samples and bits/dim.") { data, matched, device, folder,
                seed };
        matching.SetAction((parsed, cancel) => Task.FromResult(Done(() => ImageMatching.Run(parsed.GetValue(data),
            parsed.GetValue(matched), parsed.GetValue(device)!, parsed.GetValue(folder)!, parsed.GetValue(seed), cancel))));

        var root = new RootCommand("Real NVP on images. Without a command it trains on the 8x8 digits that ship with it.") { train, sample,
            evaluate, interpolate, matching };
        // without a command: train, so that 'dotnet run' alone shows what the library does
        var known = new[] { "train", "sample", "evaluate", "interpolate", "matching", "-h", "--help", "-?", "--version" };
        if (args.Length == 0 || !known.Contains(args[0])) args = args.Length == 0 || args[0].StartsWith('-') ? ["train", .. args] : args;
        return SampleProgram.Run(root, args);
    }

    private static void Trained(ParseResult parsed, Action<RealNvpModel, string> use)
    {
        var folder = parsed.GetValue(output)!;
        var path = parsed.GetValue(model) ?? Path.Combine(folder, ImageTraining.ModelFile);
        if (!File.Exists(path))
            throw new FileNotFoundException($"There is no model {path}. Train one first, or name another with --model.");
        using var trained = RealNvpModel.Load(path, SampleProgram.DeviceOf(parsed.GetValue(device)!));
        if (!trained.Options.IsImage)
            throw new ArgumentException($"{path} is a model of vectors of shape {trained.InputShape}, not of images.");
        Directory.CreateDirectory(folder);
        use(trained, folder);
    }

    private static int Done(Action action)
    {
        action();
        return 0;
    }
}
