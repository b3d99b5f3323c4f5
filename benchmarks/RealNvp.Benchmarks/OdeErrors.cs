using System.CommandLine;
using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Benchmarks;

/// <summary>How far log-probabilities of continuous flows are off, and how many evaluations they take: <c>errors</c>, beside
/// <c>peers.py --errors</c>.</summary>
internal static class OdeErrors
{
    private static readonly (string Name, Func<Dynamics> Make)[] networks =
    [
        ("ffjord2d_b100", () => new ConcatSquashMlp(2, 64, 3)),
        ("cnf2d_b100", () => new TimeMlp([2], 64, 3, timeFrequencies: 3)),
    ];

    public static Command Command()
    {
        var command = new Command("errors", "Trains the two continuous flows for 200 steps, and prints the evaluations and the error of " +
            "log p of some tolerances, beside the same weights in float64 at 1e-12.");
        command.SetAction(_ =>
        {
            foreach (var (name, make) in networks) Print(name, make);
            return 0;
        });
        return command;
    }

    private static void Print(string name, Func<Dynamics> make)
    {
        using var scope = NewDisposeScope();
        random.manual_seed(0);
        using var flow = Cases.Continuous(make(), 1e-5);
        using (var adam = new AdamOptimizer(flow))
        {
            for (var step = 0; step < 200; step++)
            {
                using var one = NewDisposeScope();
                adam.ZeroGradients();
                flow.NegativeLogLikelihood(Cases.TwoMoons(100)).backward();
                adam.Step(5e-3);
            }
        }
        using var gradients = no_grad();
        var x = Cases.TwoMoons(256);
        var (truth, _) = Solve(flow, make, 1e-12, x.to(float64));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name}: loss {-truth.mean().item<double>():F4}"));
        foreach (var tolerance in new[] { 1e-4, 1e-5, 1e-6 })
        {
            var (value, statistics) = Solve(flow, make, tolerance, x);
            var error = (value - truth).abs();
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name}, tolerance {tolerance:0e+0}: " +
                $"{statistics.Evaluations} evaluations, largest error {error.max().item<double>():0.00e+0}, " +
                $"mean error {error.mean().item<double>():0.00e+0}; {statistics}"));
        }
    }

    private static (Tensor LogProb, OdeStatistics Statistics) Solve(Flow trained, Func<Dynamics> make, double tolerance, Tensor x)
    {
        using var layer = new ContinuousLayer(make(), [2], new ContinuousOptions { Tolerance = tolerance });
        using var flow = new Flow([2], layer);
        flow.load_state_dict(trained.state_dict());
        flow.to(x.dtype);
        flow.eval();
        var value = flow.LogProb(x).to(float64);
        return (value, layer.LastStatistics ?? throw new InvalidOperationException("The solve left no statistics."));
    }
}
