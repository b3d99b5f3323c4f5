#!/usr/bin/env dotnet
#:project ../../src/RealNvp
#:project ../../src/RealNvp.Plotting
#:package TorchSharp-cpu
#:property PublishAot=false

// The notebook 5-own-layer.ipynb as a program; in a clone of the repository: dotnet run samples/notebooks/5-own-layer.cs
// It is written from the notebook, and a test holds both equal: change the notebook, and see README.md here.
// With the packages in place of the sources, the first two lines are "#:package RealNvp@VERSION" and "#:package RealNvp.Plotting@VERSION",
// and the third has a version too.

using RealNvp;
using RealNvp.Checking;
using RealNvp.Plotting;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static Shown;

// # 5. Write your own layer, and prove it
//
// A layer of a flow is two methods: one maps x to z, one maps z to x, and both return the logarithm of how much they stretch the
// volume. Most bugs of flows are a mistake in that logarithm, which no error message tells: the flow trains, and its densities are
// wrong. `FlowCheck` finds them.

// tests run the notebook with small numbers
var small = Environment.GetEnvironmentVariable("REALNVP_NOTEBOOK_SMALL") == "1";

// ## The layer
//
// The sinh-arcsinh transform (Jones and Pewsey, 2009, [doi 10.1093/biomet/asp053](https://doi.org/10.1093/biomet/asp053)) makes
// skewed data with long tails look normal:
//
// ```
// z = sinh(δ asinh(x) − ε)
// log dz/dx = log δ + log cosh(δ asinh(x) − ε) − log cosh(asinh(x))
// ```
//
// Both parameters are trained, one of each for a feature. δ is kept between 1/e and e, so that no number overflows, and log cosh is
// computed without ever computing cosh. `RegisterComponents` comes last in the constructor.

// SinhArcsinh is at the end of this file

// ## The proof
//
// `FlowCheck` draws the parameters at random and compares the log-determinant with the Jacobian, by differences and by autograd. It
// checks round trips, gradients, batches, extremes up to ±10⁴, saved states, memory and more, in float64 and float32. Put the line
// into a test with `.ThrowIfFailed()`.

display(FlowCheck.Verify(() => new SinhArcsinh(2), [2]));

// And with a mistake? This one forgets the last term. It maps forth and back without any error, so it looks right.

// Forgetful is at the end of this file

display(FlowCheck.Verify(() => new Forgetful(2), [2]));

// ## Use it
//
// Data that need it: two features that depend on each other, the first skewed, the second with long tails.

var n = small ? 200 : 44_000;
manual_seed(0);
var (u, v) = (randn(n), randn(n));
var first = (u * 0.8).exp() * 2;
var second = ((u * 0.5 + v) * 1.2).sinh();
var x = stack(new[] { first, second }, 1);
var (training, test) = (x[..(small ? 100 : 4000)], x[(small ? 100 : 4000)..]);

// Any layers make a flow. Yours stands between those of the library: first a standardization (by quantiles, as tails would spoil a
// mean), then the new layer, then a learned scale, then two couplings that learn how the features depend on each other.

CouplingLayer Coupling(Mask mask) => new(
    [2], mask, new SplineTransformer(bins: 8),
    size => new ResidualMlp(size.Inputs, size.Outputs, hidden: small ? 4 : 32));

Flow Build(bool withLayer)
{
    var layers = new List<Bijection> { new Standardization([2], FeatureScaling.Quantiles) };
    if (withLayer) layers.Add(new SinhArcsinh(2));
    layers.Add(new ActNorm([2]));
    layers.Add(Coupling(Mask.Alternating(2)));
    layers.Add(Coupling(!Mask.Alternating(2)));
    return new Flow([2], new Chain(layers.ToArray()));
}

Flow Train(Flow flow)
{
    var options = new TrainingOptions
    {
        Epochs = small ? 1 : 60,
        BatchSize = 128,
        LearningRate = 1e-2,
        Schedule = new CosineSchedule(),
        Seed = 0,
    };
    new Trainer(flow, options).Fit(TrainingData.From(training));
    return flow;
}

var with = Train(Build(withLayer: true));
var without = Train(Build(withLayer: false));
display(with);

// How much of the density has each learned? Here the truth is known, by the same rule that every layer follows: undo the steps, and
// subtract the logarithms of their slopes. What a flow lacks, on average over points that it has not seen, is its Kullback-Leibler
// divergence from the truth, in nats a point.

Tensor Truth(Tensor x)
{
    var (first, second) = (x[.., 0], x[.., 1]);
    var u = (first / 2).log() / 0.8;
    var v = second.asinh() / 1.2 - u * 0.5;
    var slopes = (first * 0.8).log() + ((second.square() + 1).sqrt() * 1.2).log();
    return (u.square() + v.square()) * -0.5 - Math.Log(2 * Math.PI) - slopes;
}

string Lacks(Flow flow)
{
    var gap = Truth(test) - flow.LogProb(test);
    var error = gap.std().item<float>() / Math.Sqrt(test.shape[0]);
    return $"{gap.mean().item<float>():F3} ± {error:F3}";
}

display($"nats lacking with the layer: {Lacks(with)}; without: {Lacks(without)}");

// The density that was learned, and samples of it:

var shown = test[..(small ? 100 : 4000)];
display(new DensityPanels(
    shown, with.LogProb, with.Sample(shown.shape[0], seed: 1),
    options: new DensityPanelsOptions { Box = new PlotBox(-1, 9, -6, 6) }));

// When a flow goes wrong, look at what each of its layers does. `LayerPlot` takes rows through the flow, from data at the top to
// latents at the bottom: how much each layer stretches the volume, and which values come out of it. Here nothing is wrong, and one
// can see the new layer work: values come out of it about half as spread (the bar), and with tails a third as long (the line; far
// from 0 the axis is logarithmic).

display(new LayerPlot(with, shown));

// What a layer can say of itself, and layers that are made of other layers: [write your own
// layer](../../docs/write-your-own-layer.md). Next: [continuous flows](6-continuous.ipynb).

public class SinhArcsinh : Bijection
{
    protected readonly Parameter skew, tail;

    public SinhArcsinh(long features, string name = "SinhArcsinh") : base(name, [features])
    {
        skew = new Parameter(zeros(features));
        tail = new Parameter(zeros(features));
        RegisterComponents();
    }

    protected override (Tensor Value, Tensor LogDet) ForwardCore(Tensor x, Pass pass)
    {
        var a = x.asinh() * tail.tanh().exp() - skew;
        return (a.sinh(), SumExamples(LogSlope(x, a)));
    }

    protected override (Tensor Value, Tensor LogDet) InverseCore(Tensor z, Pass pass)
    {
        var a = z.asinh();
        var x = ((a + skew) / tail.tanh().exp()).sinh();
        return (x, SumExamples(LogSlope(x, a)).neg());
    }

    protected virtual Tensor LogSlope(Tensor x, Tensor a) =>
        tail.tanh() + LogCosh(a) - LogCosh(x.asinh());

    // plus log 2, which goes away in the difference
    protected static Tensor LogCosh(Tensor a) => a.logaddexp(a.neg());
}

public class Forgetful(long features) : SinhArcsinh(features, "Forgetful")
{
    protected override Tensor LogSlope(Tensor x, Tensor a) => tail.tanh() + LogCosh(a);
}

/// <summary>In place of a notebook: pictures go to files, everything else to the console.</summary>
static class Shown
{
    static int pictures;

    public static void display(object? value)
    {
        if (value is Picture picture)
        {
            var path = Path.Combine("out", "notebooks", $"5-own-layer-{++pictures}.png");
            picture.Save(path);
            Console.WriteLine($"wrote {path}");
        }
        else
            Console.WriteLine(value is System.Collections.IEnumerable list and not string ? string.Join(", ", list.Cast<object>()) : value);
    }
}
