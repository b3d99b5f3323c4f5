#!/usr/bin/env dotnet
#:project ../../src/RealNvp
#:project ../../src/RealNvp.Plotting
#:package TorchSharp-cpu
#:property PublishAot=false

// The notebook 4-posterior.ipynb as a program; in a clone of the repository: dotnet run samples/notebooks/4-posterior.cs
// It is written from the notebook, and a test holds both equal: change the notebook, and see README.md here.
// With the packages in place of the sources, the first two lines are "#:package RealNvp@VERSION" and "#:package RealNvp.Plotting@VERSION",
// and the third has a version too.

using RealNvp;
using RealNvp.Plotting;
using static TorchSharp.torch;
using static Shown;

// # 4. A Bayesian posterior, and a conditional density that is checked
//
// Twenty animals get four doses of a drug, and some die (Racine et al., 1986; Gelman et al., *Bayesian Data Analysis*, section 3.7).
// How deadly is it? Two ways lead to the posterior. The first knows the likelihood; the second only simulates. Then simulations tell
// whether the second can be trusted.

// tests run the notebook with small numbers
var small = Environment.GetEnvironmentVariable("REALNVP_NOTEBOOK_SMALL") == "1";

// ## The problem
//
// A logistic regression: the log-odds of death are *intercept + slope · log dose*. The prior says intercept 0 ± 2 and slope 10 ± 10.
// The flow works with u = (parameters − prior mean) / prior deviation, so the prior of u is a standard normal.

var dose = tensor(new[] { -0.86f, -0.30f, -0.05f, 0.73f });   // log g/ml, 5 animals each
var deaths = tensor(new[] { 0f, 1f, 3f, 5f });
var (deviation, mean) = (tensor(new[] { 2f, 10f }), tensor(new[] { 0f, 10f }));
var (animals, half) = (tensor(5f), tensor(0.5f));
var names = new[] { "intercept", "slope" };

// u (N, 2) to the log-odds of each dose (N, 4)
Tensor LogOdds(Tensor u)
{
    var parameters = u * deviation + mean;
    return parameters[.., ..1] + parameters[.., 1..] * dose;
}

// log p(deaths | u) + log p(u), (N), up to a number that is the same for all u
Tensor LogPosterior(Tensor u)
{
    var odds = LogOdds(u);
    var dead = nn.functional.logsigmoid(odds) * deaths;
    var alive = nn.functional.logsigmoid(odds.neg()) * (animals - deaths);
    return (dead + alive).sum(1) - half * u.square().sum(1);
}

// ## With the likelihood: variational inference
//
// A flow draws u, the posterior says how likely each is, and training brings the two together. There are no data to read:
// `TrainingData.None`.

var flow = new RealNvpModel(RealNvpOptions.Toy2D with { Hidden = small ? 8 : 32 }, seed: 1);
var options = new TrainingOptions
{
    Epochs = small ? 1 : 20,
    LearningRate = 5e-3,
    Schedule = new CosineSchedule { Floor = 0.01 },
    AverageDecay = null,
    Seed = 1,
};
var objective = Objective.ReverseKl(LogPosterior, samples: small ? 16 : 256);
var none = TrainingData.None(stepsPerEpoch: small ? 2 : 50);
display(new Trainer(flow, objective, options).Fit(none));

// *Importance sampling* says how good it is: each sample gets a weight, posterior over flow. If the flow were the posterior, all
// weights were equal and every sample would count fully. Z is the evidence, up to the same number as above.

display(ImportanceSampling.Estimate(flow, LogPosterior, samples: small ? 500 : 20_000, seed: 2));

// In two dimensions a fine grid is exact, so we can look:

var drawn = small ? 200 : 4000;
var box = new PlotBox(-1.5, 2.5, -1.5, 2.5);
display(new DensityPanels(flow.Sample(drawn, seed: 3), LogPosterior, options: new DensityPanelsOptions
{
    DataTitle = "samples of the flow",
    DensityTitle = "exact posterior",
    Box = box,
}));

// ## With simulations alone: a conditional density
//
// Often there is a simulator and no likelihood. Draw u from the prior, simulate deaths, and let a flow learn p(u | deaths) from the
// pairs. The deaths are its *context*. It learns the posterior of every possible outcome at once.

(Tensor U, Tensor Deaths) Simulate(int count, long seed)
{
    manual_seed(seed);
    var u = randn(count, 2);
    var chance = LogOdds(u).sigmoid().unsqueeze(2);
    return (u, rand(count, 4, 5).lt(chance).sum(2).to(float32));
}

var (us, outcomes) = Simulate(small ? 200 : 20_000, seed: 4);
var conditional = RealNvpOptions.Tabular(2, rows: us.shape[0]) with { ContextSize = 4 };
var amortized = new RealNvpModel(small ? conditional with { Hidden = 8 } : conditional, seed: 5);
var schooling = new TrainingOptions
{
    Epochs = small ? 1 : 20,
    BatchSize = 256,
    Schedule = new CosineSchedule(),
    Seed = 5,
};
display(new Trainer(amortized, schooling).Fit(TrainingData.From(us, outcomes)));

// For the outcome that was seen, 0, 1, 3 and 5 deaths, its samples should lie where those of the first way do.

var seen = deaths.unsqueeze(0);
display(new CornerPlot(
    flow.Sample(drawn, seed: 6) * deviation + mean,
    amortized.Sample(drawn, seen, seed: 7)[0] * deviation + mean,
    new CornerPlotOptions
    {
        Names = names,
        DataLabel = "variational: knows the likelihood",
        SamplesLabel = "conditional: from simulations",
    }));

// ## Can it be trusted?
//
// *Simulation-based calibration* (Talts et al., 2018, [arXiv 1804.06788](https://arxiv.org/abs/1804.06788)): simulate again, draw 99
// samples of the posterior of each outcome, and count how many are below the true value. If the posterior is right, every count from
// 0 to 99 is equally likely: the histogram is flat (left), and an interval of 80 % holds the truth in 80 % of the cases (right). The
// bands are what chance allows.

var (truth, observed) = Simulate(small ? 40 : 2000, seed: 8);
var named = new CalibrationPlotOptions { Names = names };
display(new CalibrationPlot(amortized, truth, observed, draws: 99, seed: 9, options: named));

// This is how it looks when a posterior is too sure of itself. A temperature of 0.7 makes it narrower than it should be: the truth
// is too often outside of all samples. The counts are made by hand here, as for a posterior of any other origin.

var narrow = amortized.Sample(99, observed, temperature: 0.7, seed: 9);   // (N, 99, 2)
var ranks = narrow.lt(truth.unsqueeze(1)).sum(1);                         // (N, 2)
display(CalibrationPlot.FromRanks(ranks, 99, named));

// ## The answer
//
// The dose that kills half of the animals has log-odds 0, so its logarithm is −intercept / slope.

var posterior = (amortized.Sample(drawn, seen, seed: 10)[0] * deviation + mean).to(float64);
var half50 = (posterior[.., 0].neg() / posterior[.., 1]).data<double>().Order().ToArray();
double At(double share) => half50[(int)(share * (half50.Length - 1))];
display($"log dose that kills half: {At(0.5):F2}; 90 % between {At(0.05):F2} and {At(0.95):F2}");

// Next: [your own layer](5-own-layer.ipynb).

/// <summary>In place of a notebook: pictures go to files, everything else to the console.</summary>
static class Shown
{
    static int pictures;

    public static void display(object? value)
    {
        if (value is Picture picture)
        {
            var path = Path.Combine("out", "notebooks", $"4-posterior-{++pictures}.png");
            picture.Save(path);
            Console.WriteLine($"wrote {path}");
        }
        else
            Console.WriteLine(value is System.Collections.IEnumerable list and not string ? string.Join(", ", list.Cast<object>()) : value);
    }
}
