#!/usr/bin/env dotnet
#:project ../../src/RealNvp
#:project ../../src/RealNvp.Plotting
#:package TorchSharp-cpu
#:property PublishAot=false

// The notebook 6-continuous.ipynb as a program; in a clone of the repository: dotnet run samples/notebooks/6-continuous.cs
// It is written from the notebook, and a test holds both equal: change the notebook, and see README.md here.
// With the packages in place of the sources, the first two lines are "#:package RealNvp@VERSION" and "#:package RealNvp.Plotting@VERSION",
// and the third has a version too.

using RealNvp;
using RealNvp.Plotting;
using static TorchSharp.torch;
using static Shown;

// # 6. Continuous flows and flow matching
//
// A chain of layers moves points in jumps. A continuous flow moves them along a velocity, dx/dt = v(t, x), from latents at t = 0 to
// data at t = 1. The velocity may be any network: nothing has to be invertible by construction. Flow matching trains it fast,
// without solving the equation. The notebook takes about two minutes.

// tests run the notebook with small numbers
var small = Environment.GetEnvironmentVariable("REALNVP_NOTEBOOK_SMALL") == "1";

// ## Data
//
// A pinwheel: five bent blades with empty space between them.

Tensor Pinwheel(int count, long seed)
{
    manual_seed(seed);
    var (along, across) = (randn(count) * 0.3 + 1, randn(count) * 0.1);
    var angle = randint(0, 5, new long[] { count }) * (2 * Math.PI / 5) + along.exp() * 0.25;
    var (cos, sin) = (angle.cos(), angle.sin());
    return stack(new[] { along * cos - across * sin, along * sin + across * cos }, 1);
}

var (x, test) = (Pinwheel(small ? 200 : 20_000, seed: 0), Pinwheel(small ? 20 : 2000, seed: 1));
var style = new DensityPanelsOptions { Box = PlotBox.Square(2), Resolution = small ? 8 : 120 };

// ## Model
//
// The velocity is a network that gets the time and the point. Its *divergence* says how the flow stretches the plane, and is
// computed exactly, beside the velocity. `Matching2D` is the preset for flow matching in the plane; for so fine a shape it gets one
// more hidden layer, of fewer features.

var preset = FfjordOptions.Matching2D with { Hidden = 128, HiddenLayers = 3 };
var flow = new FfjordModel(small ? preset with { Hidden = 8 } : preset, seed: 2);
display(flow);

// ## Training without solving
//
// Take a latent and an example, draw the straight line between them, and let the network learn the velocity along it (Lipman et al.,
// 2023, [arXiv 2210.02747](https://arxiv.org/abs/2210.02747)). Each batch pairs latents and examples so that the lines are short
// (optimal transport). A step costs as much as one of an ordinary network. Its loss is no likelihood.

var options = new TrainingOptions
{
    Epochs = small ? 1 : 60,
    BatchSize = 256,
    LearningRate = 4e-3,
    Schedule = new CosineSchedule(),
    Seed = 2,
};
display(new Trainer(flow, Objective.FlowMatching(), options).Fit(TrainingData.From(x)));

// ## Exact densities, though
//
// To score a point, the equation is solved from the data to the latents, and the divergence is added up on the way. So the
// log-density is exact up to the tolerance of the solver, and the result says so.

display(flow.Evaluate(test, batchSize: 2000));

// The picture: five blades, and faint bridges between them, as the velocity is smooth.

display(new DensityPanels(test, flow.LogProb, flow.Sample(test.shape[0], seed: 3), options: style));

// And the paths: latents start at t = 0, spread around the middle, and follow the velocity to the data at t = 1. They are short and
// nearly straight, as the pairs were, so the solver needs few steps. It is public: `OdeSolver` solves any equation, for each row
// with steps of its own.

var layer = flow.Bijection.modules().OfType<ContinuousLayer>().Single();
var times = Enumerable.Range(0, 41).Select(i => i / 40.0).ToArray();
manual_seed(4);
var latents = randn(small ? 4 : 120, 2);
Tensor paths;
using (no_grad())
    paths = OdeSolver.Solve((t, y) => layer.Dynamics.Velocity(t, y), latents, times).Value;
display(new DensityPanels(test, flow.LogProb, gridLines: paths.transpose(0, 1), options: style with
{
    Box = PlotBox.Square(2.5),
    Resolution = small ? 8 : 60,
    GridTitle = "paths of latents",
}));

// ## The same network, trained by its likelihood
//
// FFJORD (Grathwohl et al., 2019, [arXiv 1810.01367](https://arxiv.org/abs/1810.01367)) trains through the solver. That takes much
// more time for a step, but makes the likelihood itself large. Here it goes on where flow matching ended, for a few steps.

var fine = new TrainingOptions
{
    MaxSteps = small ? 1 : 60,
    BatchSize = 256,
    LearningRate = 5e-4,
    Seed = 3,
};
display(new Trainer(flow, fine).Fit(TrainingData.From(x)));

display(flow.Evaluate(test, batchSize: 2000));

// How hard is the velocity to follow? The solver tells what the last solve took.

display(layer.LastStatistics);

// More: [layers](../../docs/layers.md), [training](../../docs/training.md).

/// <summary>In place of a notebook: pictures go to files, everything else to the console.</summary>
static class Shown
{
    static int pictures;

    public static void display(object? value)
    {
        if (value is Picture picture)
        {
            var path = Path.Combine("out", "notebooks", $"6-continuous-{++pictures}.png");
            picture.Save(path);
            Console.WriteLine($"wrote {path}");
        }
        else
            Console.WriteLine(value is System.Collections.IEnumerable list and not string ? string.Join(", ", list.Cast<object>()) : value);
    }
}
