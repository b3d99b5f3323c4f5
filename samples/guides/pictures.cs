#!/usr/bin/env dotnet
#:project ../../src/RealNvp
#:project ../../src/RealNvp.Plotting
#:project ../Common
#:package TorchSharp-cpu
#:property PublishAot=false

// Makes the pictures of the guides again, in a minute or two:
//   dotnet run samples/guides/pictures.cs                 writes docs/images
//   dotnet run samples/guides/pictures.cs -- FOLDER svg   writes to another folder, as SVG or HTML
// Other programs make the rest of docs/images: samples/Density2D (density2d-*), samples/Images (digits-samples),
// eng/first-picture.cs -- --keep FILE (first-picture), mixed-tables.cs and torsion-angles.cs beside this one, and the guide of models
// (flow-matching-digits).

using System.Runtime.CompilerServices;
using RealNvp;
using RealNvp.Plotting;
using RealNvp.Samples.Common;
using TorchSharp;
using static TorchSharp.torch;

var folder = args.Length > 0 ? args[0] : Path.Combine(Path.GetDirectoryName(Here())!, "..", "..", "docs", "images");
var extension = args.Length > 1 ? args[1] : "png";
set_num_threads(1);
using var scope = NewDisposeScope();

// concepts.md and when-it-goes-wrong.md: a flow of the plane, and what becomes of it if a layer is ruined
var moons = Toy2D.All["moons"](3000, 0);
var flow = new RealNvpModel(RealNvpOptions.Toy2D, seed: 0);
using (var trainer = new Trainer(flow, new TrainingOptions { Epochs = 60, BatchSize = 128, Seed = 1 }))
    Save("training-curve", new TrainingCurve(trainer.Fit(TrainingData.From(moons)), new() { Title = "A flow of two moons" }));
Save("warped-grid", new WarpedGrid(flow, moons, options: new() { Title = "Change of variables", PanelSize = 350 }));
Save("layers-healthy", new LayerPlot(flow, moons, options: new() { Title = "A healthy flow" }));
using (no_grad())
    foreach (var (_, weight) in flow.named_parameters().Where(p => p.name.Contains("layers.4."))) weight.mul_(3.5);
Save("layers-broken", new LayerPlot(flow, moons, options: new() { Title = "The same flow after its fifth layer went wrong" }));

// tables.md: anomalies in a table of two columns, where each value alone is ordinary
var random = new Random(1);
double[] Row(bool odd)
{
    var angle = 2 * Math.PI * random.NextDouble();
    var radius = odd ? 0.9 * Math.Sqrt(random.NextDouble()) : 1.5 + (0.25 * Normal());
    return [100 + (40 * radius * Math.Cos(angle)), radius * Math.Sin(angle)];
}
double Normal() => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
double[][] ordinary = [.. Enumerable.Range(0, 2000).Select(_ => Row(false))],
    unseen = [.. Enumerable.Range(0, 600).Select(_ => Row(false))],
    odd = [.. Enumerable.Range(0, 150).Select(_ => Row(true))];
using var table = FlowModel.Fit(ordinary, options: new FitOptions { Columns = ["length", "width"],
    Training = new TrainingOptions { Epochs = 40 } });
double[][] mixed = [.. unseen, .. odd];
var labels = Enumerable.Range(0, mixed.Length).Select(i => i >= unseen.Length).ToArray();
Save("anomalies-roc", new RocCurve([("flow", Negated(table.LogProb(mixed))), ("Gaussian", Distances(mixed))], labels,
    new() { Title = "Anomalies inside of a ring" }));
Save("anomalies-scores", new ScoreHistogram(table, unseen, odd, new() { Title = "Scores of rows that were not trained on" }));

// conditional-densities.md: three numbers that depend on a year
var years = randint(1990, 2020, [2500, 1], generator: new Generator(1)).to(float32);
var noise = randn([2500, 3], generator: new Generator(2));
var level = years.sub(2005).div(15);
var rows = cat([level.add(noise.select(1, 0).unsqueeze(1), alpha: 0.3), noise.select(1, 1).unsqueeze(1).exp().mul(0.4),
    noise.select(1, 0).unsqueeze(1).square().mul(0.3).add(noise.select(1, 2).unsqueeze(1), alpha: 0.3)], 1);
var given = new RealNvpModel(RealNvpOptions.Tabular(3, rows: 2000) with { ContextSize = 1 }, seed: 0);
using (var trainer = new Trainer(given, new TrainingOptions { Epochs = 40, BatchSize = 128, Seed = 1 }))
    trainer.Fit(TrainingData.From(rows.narrow(0, 0, 1800), years.narrow(0, 0, 1800)));
var (test, testYears) = (rows.narrow(0, 1800, 700), years.narrow(0, 1800, 700));
string[] names = ["growth", "price", "risk"];
Save("calibration", new CalibrationPlot(given, test, testYears, options: new() { Names = names, Title = "Rows that were held out" }));
Save("corner", new CornerPlot(given, test, testYears, options: new() { Names = names, SamplesLabel = "samples of the flow" }));

// diagnostics.md: the posterior of two means with four measurements each, whose deviations are claimed to be four fifths of what they are
var means = randn([1500, 2], generator: new Generator(3));
var measured = means.repeat(1, 4).add(randn([1500, 8], generator: new Generator(4)));
var tooNarrow = new ConditionalDensity((x, count, seed) => Posterior(x).unsqueeze(1).add(
    randn([x.shape[0], count, 2], generator: new Generator((ulong)seed)).mul(0.8 * Math.Sqrt(0.2))),
    (theta, x) => theta.sub(Posterior(x)).square().sum(1).mul(-2.5 / 0.64));
Save("diagnostics-sbc", new DiagnosticPlot(Diagnostics.Sbc(tooNarrow, means, measured, draws: 99, names: ["speed", "mass"]),
    new() { Title = "A posterior that is too narrow", PanelWidth = 340, PanelHeight = 290 }));

void Save(string name, Picture picture)
{
    var path = Path.GetFullPath(Path.Combine(folder, $"{name}.{extension}"));
    picture.Save(path);
    Console.WriteLine($"{new FileInfo(path).Length,9:N0} bytes  {name}: {picture.AltText}");
}

static Tensor Posterior(Tensor x) => x.reshape(-1, 4, 2).sum(1).div(5);

static double[] Negated(double[] numbers) => [.. numbers.Select(n => -n)];

// the squared distance from the mean in the units of the covariance: what a Gaussian knows
double[] Distances(double[][] points)
{
    double a = ordinary.Average(r => r[0]), b = ordinary.Average(r => r[1]);
    double aa = ordinary.Average(r => (r[0] - a) * (r[0] - a)), bb = ordinary.Average(r => (r[1] - b) * (r[1] - b)),
        ab = ordinary.Average(r => (r[0] - a) * (r[1] - b)), det = (aa * bb) - (ab * ab);
    return [.. points.Select(r => ((bb * (r[0] - a) * (r[0] - a)) - (2 * ab * (r[0] - a) * (r[1] - b))
        + (aa * (r[1] - b) * (r[1] - b))) / det)];
}

static string Here([CallerFilePath] string path = "") => path;
