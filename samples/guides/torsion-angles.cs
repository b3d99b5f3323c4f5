#!/usr/bin/env dotnet
#:project ../../src/RealNvp
#:project ../../src/RealNvp.Plotting
#:project ../Common
#:package TorchSharp-cpu
#:property PublishAot=false

// The torsion angles of models.md: flows on a torus, trained on one run of molecular dynamics and scored on another.
// dotnet run samples/guides/torsion-angles.cs prints the table and writes docs/images/torus-torsion-angles.png, in five minutes
//   dotnet run samples/guides/torsion-angles.cs -- FILE.png 1   writes to another file, after one epoch for each model

using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using RealNvp;
using RealNvp.Plotting;
using RealNvp.Samples.Common;
using TorchSharp;
using static TorchSharp.torch;

var file = args.Length > 0 ? args[0]
    : Path.Combine(Path.GetDirectoryName(Here())!, "..", "..", "docs", "images", "torus-torsion-angles.png");
var most = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : int.MaxValue;
set_num_threads(1);
using var scope = NewDisposeScope();
var (data, unseen) = (Angles("phipsi-seed1"), Angles("phipsi-seed2"));

Console.WriteLine("| model, trained on one run | nats a frame of the other run | time of training, one core | largest jump across a cut |");
Console.WriteLine("|---|---|---|---|");
Row("`SplineFlowOptions.Torus(2) with { Hidden = 64 }`, 15 epochs", new SplineFlowModel(SplineFlowOptions.Torus(2) with { Hidden = 64 },
    seed: 0), null, 15);
var matching = FfjordOptions.Torus(2) with { Hidden = 128 };
Row("`FfjordOptions.Torus(2) with { Hidden = 128 }`, flow matching, 40 epochs", new FfjordModel(matching, seed: 0),
    Objective.FlowMatching(), 40);
var longest = Row("the same, 130 epochs", new FfjordModel(matching, seed: 0), Objective.FlowMatching(), 130);

var box = new PlotBox(-Math.PI, Math.PI, -Math.PI, Math.PI);
new DensityPanels(unseen, longest.LogProb, longest.SampleWith(new OdeOptions { Method = OdeMethod.Rk4, Steps = 3 }, 10_000, seed: 1),
    options: new() { Box = box, XLabel = "φ", YLabel = "ψ", DataTitle = "another run", DensityTitle = "density by flow matching" })
        .Save(file);
Console.WriteLine($"wrote {Path.GetFileName(file)}");

T Row<T>(string name, T flow, Objective? objective, int epochs) where T : Flow
{
    var watch = Stopwatch.StartNew();
    var options = new TrainingOptions { Epochs = Math.Min(epochs, most), BatchSize = 256, Seed = 0 };
    using (var trainer = objective is null ? new Trainer(flow, options) : new Trainer(flow, objective, options))
        trainer.Fit(TrainingData.From(data));
    var seconds = watch.Elapsed.TotalSeconds;
    var score = flow.Evaluate(unseen);
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"| {name} | {score.MeanLogProb:F3} ± {score.StandardError:F3} | {seconds:F0} s | {Jump(flow):0.#e0} |"));
    return flow;
}

// the largest difference of log p of two points that are one point of the torus, in nats
static double Jump(Flow flow)
{
    using var inner = NewDisposeScope();
    var along = linspace(-Math.PI, Math.PI, 1001);
    var (low, high) = (full_like(along, -Math.PI), full_like(along, MathF.BitDecrement(MathF.PI)));
    double Across(int axis)
    {
        Tensor At(Tensor edge) => stack(axis == 0 ? [edge, along] : [along, edge], 1);
        return flow.LogProb(At(low)).sub(flow.LogProb(At(high))).abs().max().item<float>();
    }
    return Math.Max(Across(0), Across(1));
}

static Tensor Angles(string name)
{
    var frames = NpyTable.Read(Path.Combine(SampleData.TorsionAngles, name + ".npy.gz"));
    return tensor([.. frames.SelectMany(f => f)], [frames.Length, 2], dtype: float32);
}

static string Here([CallerFilePath] string path = "") => path;
