using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using RealNvp.Plotting;
using RealNvp.Samples.Common;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Samples.Posterior;

/// <summary>Lets flows learn two Bayesian posteriors without data of them,
/// and compares evidence, means and deviations with exact ones.</summary>
public static class Program
{
    private const int DrawnPoints = 8_000;

    /// <summary>Runs the sample.</summary>
    /// <param name="args">The command line; <c>--help</c> lists the options.</param>
    /// <returns>0, or 1 after an error.</returns>
    public static int Main(string[] args)
    {
        Option<bool> quick = new("--quick") { Description = "a few seconds instead of a minute: fewer steps and samples" };
        Option<GradientEstimator> gradient = new("--gradient") { Description = "path, or total (the plain reparameterization)",
            DefaultValueFactory = _ => GradientEstimator.Path };
        Option<string> folder = new("--out") { Description = "the folder of the picture", DefaultValueFactory = _ => "out/posterior" };
        Option<int> seed = new("--seed") { Description = "seeds data, weights and training; 0 or more", DefaultValueFactory = _ => 0 };
        var device = SampleProgram.DeviceOption();
        RootCommand command = new("Learns Bayesian posteriors by variational inference with normalizing flows.") { quick, gradient, device,
            folder, seed };
        command.SetAction(parsed => Run(parsed.GetValue(quick), parsed.GetValue(gradient), parsed.GetValue(device)!,
            parsed.GetValue(folder)!, parsed.GetValue(seed)));
        return SampleProgram.Run(command, args);
    }

    private static int Run(bool quick, GradientEstimator gradient, string deviceName, string folder, int seed)
    {
        SampleProgram.AtLeast("--seed", seed, 0);
        TorchBackend.EnsureAvailable();
        var device = SampleProgram.DeviceOf(deviceName);
        // on networks this small, several threads mostly wait for each other
        set_num_threads(1);
        Directory.CreateDirectory(folder);
        var fit = quick ? new VariationalFit(250, 64, 10_000, gradient, seed) : new VariationalFit(1500, 256, 100_000, gradient, seed);

        using var scope = NewDisposeScope();
        Solve(new Regression(seed, device), "regression", fit, device, null);
        Solve(new Bioassay(quick ? 250 : 1000, device), "logistic", fit, device, Path.Combine(folder, "logistic.png"));
        return 0;
    }

    private static void Solve(IPosterior posterior, string label, VariationalFit fit, Device device, string? path)
    {
        var watch = Stopwatch.StartNew();
        using var flow = fit.Train(posterior, label, device);
        var evidence = fit.Estimate(flow, posterior);
        using var samples = fit.Samples(flow, posterior);
        Print(posterior, VariationalFit.Summarize(samples, posterior, evidence.LogZ), evidence, watch.Elapsed.TotalSeconds);
        if (path is null) return;
        Draw(posterior, flow, samples, path);
        Console.WriteLine($"  picture            {path}");
    }

    private static void Print(IPosterior posterior, Answers found, ImportanceEstimate evidence, double seconds)
    {
        var (exact, english) = (posterior.Exact, CultureInfo.InvariantCulture);
        Console.WriteLine(string.Create(english, $"{posterior.Title}"));
        Console.WriteLine(string.Create(english, $"  {"",-14} {"exact",20} {"estimated",20}"));
        Console.WriteLine(string.Create(english,
            $"  {"log evidence",-14} {exact.LogEvidence,20:F5} {evidence.LogZ,11:F5} ± {evidence.StandardError:F5}"));
        for (var i = 0; i < posterior.Names.Count; i++)
            Console.WriteLine(string.Create(english,
                $"  {posterior.Names[i],-14} {exact.Means[i],11:F3} ± {exact.Deviations[i],6:F3} {found.Means[i],11:F3} ± " +
                $"{found.Deviations[i],6:F3}"));
        Console.WriteLine(string.Create(english,
            $"  KL(flow||exact) {exact.LogEvidence - evidence.LowerBound:F5} nats; effective samples {evidence.EffectiveShare:P1} of " +
            $"{evidence.Count:N0}; {seconds:F1} s"));
    }

    private static void Draw(IPosterior posterior, Flow flow, Tensor samples, string path)
    {
        using var scope = NewDisposeScope();
        var grid = PlotBox.Square(2.5).GridLines();
        new DensityPanels(
            flow.Sample(DrawnPoints, seed: 1),
            points => posterior.LogDensity(points),
            samples.narrow(0, 0, DrawnPoints),
            flow.Decode(grid.reshape(-1, 2).to(samples.device)).reshape(grid.shape).detach(),
            new()
            {
                Title = $"{string.Join(" and ", posterior.Names)}, in prior standard deviations",
                DataTitle = "samples of the flow",
                DensityTitle = "exact posterior",
                SamplesTitle = "samples, resampled by weight",
                Box = new PlotBox(-1.25, 2.25, -1.25, 2.25),
            }).Save(path);
    }
}
