using System.Diagnostics;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Performance;

public class OdeSpeedTests
{
    [SlowFact]
    public void A_step_of_100_examples_costs_the_loop_at_most_50_microseconds()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var y0 = ones(100, 3);
        var slope = ones(100, 3).mul_(0.1);
        // f costs nothing, so all that is measured is the loop
        var options = new OdeOptions { FirstStep = 1e-3, RelativeTolerance = 1e-5, Method = OdeMethod.Rk4, Steps = 400 };
        var fewest = new OdeOptions { Method = OdeMethod.Dopri5, FirstStep = 1e-9, AbsoluteTolerance = 1e9 };
        var times = new List<double>();
        for (var round = 0; round < 30; round++)
        {
            var clock = Stopwatch.StartNew();
            OdeSolver.Solve((_, _) => slope, y0, 0, 1, options, []).Dispose();
            times.Add(clock.Elapsed.TotalMicroseconds / 400);
        }
        var solves = new List<double>();
        var steps = 0L;
        for (var round = 0; round < 30; round++)
        {
            var clock = Stopwatch.StartNew();
            using var solution = OdeSolver.Solve((_, _) => slope, y0, 0, 1, fewest, []);
            steps = solution.Statistics.Accepted[0];
            solves.Add(clock.Elapsed.TotalMicroseconds / steps);
        }
        TestContext.Current.TestOutputHelper?.WriteLine($"rk4: {times.Min():F1} µs a step; dopri5: {solves.Min():F1} µs a step of {steps}");
        times.Min().Should().BeLessThanOrEqualTo(50);
        solves.Min().Should().BeLessThanOrEqualTo(80, "with the beginning and the end of a solve in {0} steps", steps);
    }

    [SlowFact]
    public void Times_of_the_peers_cases_are_written_down()
    {
        foreach (var (name, make, tolerance) in new (string, Func<Dynamics>, double)[]
        {
            ("ffjord2d_b100", () => new ConcatSquashMlp(2, 64, 3), 1e-5),
                ("cnf2d_b100", () => new TimeMlp([2], 64, 3, timeFrequencies: 3), 1e-6),
        })
        {
            using var scope = NewDisposeScope();
            random.manual_seed(0);
            var dynamics = make();
            using (no_grad())
                foreach (var parameter in dynamics.parameters())
                    if (parameter.count_nonzero().item<long>() == 0) parameter.uniform_(-0.125, 0.125);
            var layer = new ContinuousLayer(dynamics, [2], new ContinuousOptions { Tolerance = tolerance });
            using var flow = new Flow([2], layer);
            var x = randn(100, 2);
            double Time(Action action) => Enumerable.Range(0, 25).Min(_ =>
            {
                using var inner = NewDisposeScope();
                var clock = Stopwatch.StartNew();
                action();
                return clock.Elapsed.TotalMilliseconds;
            });
            var train = Time(() =>
            {
                flow.train();
                flow.NegativeLogLikelihood(x).backward();
            });
            flow.eval();
            var logProb = Time(() => flow.LogProb(x));
            var evaluations = layer.LastStatistics;
            var sample = Time(() => flow.Sample(100));
            var logProbs = flow.LogProb(x).to(float64);
            flow.to(float64);
            using var exact = RealNvp.Layers.PassState.Tighten(1e-12 / tolerance);
            var off = logProbs.sub(flow.LogProb(x.to(float64))).abs();
            TestContext.Current.TestOutputHelper?.WriteLine(
                $"{name}: log p is off by {off.mean().item<double>():G2} on average and {off.max().item<double>():G2} at most");
            off.max().item<double>().Should().BeLessThan(100 * tolerance, "in nats, against a solve at 1e-12");
            TestContext.Current.TestOutputHelper?.WriteLine(
                $"{name}: train {train:F2}, log-prob {logProb:F2}, sample {sample:F2} ms; {evaluations}");
            train.Should().BePositive();
        }
    }
}
