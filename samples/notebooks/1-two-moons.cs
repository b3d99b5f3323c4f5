#!/usr/bin/env dotnet
#:project ../../src/RealNvp
#:project ../../src/RealNvp.Plotting
#:package TorchSharp-cpu
#:property PublishAot=false

// The notebook 1-two-moons.ipynb as a program; in a clone of the repository: dotnet run samples/notebooks/1-two-moons.cs
// It is written from the notebook, and a test holds both equal: change the notebook, and see README.md here.
// With the packages in place of the sources, the first two lines are "#:package RealNvp@VERSION" and "#:package RealNvp.Plotting@VERSION",
// and the third has a version too.

using System.IO;
using RealNvp;
using RealNvp.Plotting;
using static TorchSharp.torch;
using static Shown;

// # 1. Two moons: from nothing to a picture
//
// A normalizing flow learns a density from examples. Afterwards it gives you three things: the exact density of any point, new
// points, and a map to a simple space and back.
//
// In the plane all of this can be seen. The notebook takes about a minute.
//
// ## Packages
//
// `TorchSharp-cpu` brings tensors and their native library, `RealNvp` the flows, `RealNvp.Plotting` the pictures. Keep the three
// lines in one cell.

// tests run the notebook with small numbers
var small = Environment.GetEnvironmentVariable("REALNVP_NOTEBOOK_SMALL") == "1";

// ## Data
//
// Points on two half circles that reach into each other, with some noise. A tensor of shape (N, 2) has a row for each point.

var n = small ? 150 : 2000;
manual_seed(1);

var angle = rand(n) * Math.PI;
var isUpper = rand(n) < 0.5;
var across = where(isUpper, angle.cos(), 1 - angle.cos());
var up = where(isUpper, angle.sin(), 0.5 - angle.sin());
var x = stack(new[] { across, up }, 1) + 0.1 * randn(n, 2);

// ## Model
//
// A Real NVP is a chain of *couplings*. Each changes one coordinate by numbers that a small network computes from the other one. So
// it can be undone exactly, and how much it stretches the plane is known exactly. `RealNvpOptions` has presets; `Toy2D` is the one
// for the plane.

var flow = new RealNvpModel(RealNvpOptions.Toy2D, seed: 0);
display(flow.Summary());

// A new flow knows nothing: its density is round, and so are its samples.

var style = new DensityPanelsOptions { Box = new PlotBox(-2, 3, -2, 2.5) };
display(new DensityPanels(x, flow.LogProb, flow.Sample(n, seed: 1), options: style));

// ## Training
//
// The trainer makes the data likely: it lowers the mean of −log p(x), in nats a point. It holds a tenth of the points out, and keeps
// the weights that describe those best.

var options = new TrainingOptions { Epochs = small ? 2 : 100, BatchSize = 128 };
var trainer = new Trainer(flow, options);
var result = trainer.Fit(TrainingData.From(x));
display(result);

display(new TrainingCurve(result, new TrainingCurveOptions { YLabel = "−log p(x), nats a point" }));

// ## What it has learned
//
// From left to right: the data, the density, and new points.

display(new DensityPanels(x, flow.LogProb, flow.Sample(n, seed: 1), options: style));

// A flow is a map of the whole plane, in both directions. On the left a square grid of the simple space is brought to the data; on
// the right a square grid of the data is brought to the simple space, where the moons become one round cloud. Lines that are close
// together say where the flow gathers volume.

display(new WarpedGrid(flow, x));

// ## Use it
//
// The log-density of points: one on the upper moon, one between the moons, one far away. Arrays go in and come out as well as
// tensors.

var points = new double[,] { { 0, 1 }, { 0.5, 0.25 }, { 3, 3 } };
display(string.Join(", ", flow.LogProb(points).Select(p => $"{p:F2}")));

// `Encode` maps points to latents, which are standard normal, and `Decode` brings them back. This is the largest error of the way
// there and back:

var z = flow.Encode(x);
display($"{(flow.Decode(z) - x).abs().max().item<float>():G2}");

// A file holds the options and the weights, so it can be loaded without a word about the model, and says what it is.

var path = Path.Combine(Path.GetTempPath(), "two-moons.safetensors");
flow.Info = flow.Info with { Note = "two moons, from the notebook" };
flow.Save(path);
var again = FlowModel.Load(path);
display(FlowModel.Describe(path));

// Next: [images](2-images.ipynb).

/// <summary>In place of a notebook: pictures go to files, everything else to the console.</summary>
static class Shown
{
    static int pictures;

    public static void display(object? value)
    {
        if (value is Picture picture)
        {
            var path = Path.Combine("out", "notebooks", $"1-two-moons-{++pictures}.png");
            picture.Save(path);
            Console.WriteLine($"wrote {path}");
        }
        else
            Console.WriteLine(value is System.Collections.IEnumerable list and not string ? string.Join(", ", list.Cast<object>()) : value);
    }
}
