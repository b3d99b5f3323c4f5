using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Golden;

/// <summary>Our solver against torchdiffeq, and against exact or very fine solutions.</summary>
[LeavesNoTensors]
public class OdeGoldenTests
{
    private static readonly string[] folders = ["torchdiffeq_linear_3d", "torchdiffeq_net_2d"];

    [Fact]
    public void Steps_of_one_size_equal_those_of_torchdiffeq()
    {
        foreach (var folder in folders)
        {
            using var scope = NewDisposeScope();
            using var golden = new GoldenFile(folder);
            var (f, y0, t) = Problem(golden);
            foreach (var (name, method) in new[] { ("euler", OdeMethod.Euler), ("midpoint", OdeMethod.Midpoint),
                ("rk4", OdeMethod.Rk4ThreeEighths) })
                foreach (var steps in new[] { 8, 16, 32 })
                    Distance(OdeSolver.Solve(f, y0, t[0], t[^1], new() { Method = method, Steps = steps }).Value,
                        golden[$"{name}_{steps}steps/final"]).Should().BeLessThan(1e-12, "{0} {1}", folder, name);
        }
    }

    [Fact]
    public void Adaptive_steps_come_as_near_to_the_solution_as_those_of_torchdiffeq_at_all_times()
    {
        foreach (var folder in folders)
        {
            using var scope = NewDisposeScope();
            using var golden = new GoldenFile(folder);
            var (f, y0, t) = Problem(golden);
            var truth = golden["exact_or_reference"];
            foreach (var (name, method) in new[] { ("dopri5", OdeMethod.Dopri5), ("tsit5", OdeMethod.Tsit5), ("bosh3", OdeMethod.Bosh3) })
                foreach (var (text, tolerance) in new[] { ("1e-3", 1e-3), ("1e-6", 1e-6), ("1e-9", 1e-9) })
                {
                    var solution = OdeSolver.Solve(f, y0, t, new() { Method = method, AbsoluteTolerance = tolerance,
                        RelativeTolerance = tolerance });
                    Distance(solution.Value, truth).Should().BeLessThan(3 * Distance(golden[$"{name}_tol{text}"], truth), "{0} {1} {2}",
                        folder, name, text);
                }
        }
    }

    internal static (Func<Tensor, Tensor, Tensor> F, Tensor Y0, double[] Times) Problem(GoldenFile golden)
    {
        var times = golden["t"].data<double>().ToArray();
        if (golden.Keys.Contains("A"))
        {
            var a = golden["A"];
            return ((_, y) => y.mm(a.t()), golden["y0"], times);
        }
        Tensor W(string key) => golden["weights/" + key];
        Tensor Layer(Tensor x, int i) => x.mm(W($"{i}.weight").t()).add(W($"{i}.bias"));
        return ((t, y) => Layer(Layer(Layer(cat([y, t.unsqueeze(1)], 1), 0).tanh(), 2).tanh(), 4), golden["y0"], times);
    }

    internal static double Distance(Tensor a, Tensor b)
    {
        a.shape.Should().Equal(b.shape);
        return a.sub(b).abs().max().item<double>();
    }
}
