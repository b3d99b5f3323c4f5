using RealNvp.Tests.Infrastructure;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp.Tests.Golden;

/// <summary>Our continuous layer against FFJORD and zuko. FFJORD goes from data at t =
/// 0 to latents at t = T, ours from data at t = 1 to latents at t = 0.</summary>
[LeavesNoTensors]
public class ContinuousGoldenTests
{
    [Theory, InlineData("ffjord_cnf_2d", 2, 2, 0.5), InlineData("ffjord_cnf_3d_regularized", 3, 1, 0.7)]
    public void Latents_and_log_determinants_equal_those_of_ffjord(string folder, int features, int activation, double end)
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile(folder);
        using var layer = new ContinuousLayer(new Ffjord(golden, features == 2 ? x => x.tanh() : x => nn.functional.softplus(x), end),
            [features], new() { Tolerance = 1e-10 });
        layer.eval();
        var fine = golden.Keys.Contains("reference/z") ? "reference" : "tol1e-12";
        var (z, logDet) = layer.Forward(golden["x"]);
        Close(z, golden[$"{fine}/z"], 1e-8);
        Close(logDet, golden[$"{fine}/delta_logp"].flatten().neg(), 1e-8);
        var back = layer.Inverse(z.detach());
        Close(back.Value, golden["x"], 1e-8);
        Close(back.LogDet, logDet.neg(), 1e-8);
        _ = activation;
    }

    [Fact]
    public void Costs_of_paths_equal_the_integrals_of_ffjord()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile("ffjord_cnf_3d_regularized");
        using var layer = new ContinuousLayer(new Ffjord(golden, x => nn.functional.softplus(x), 0.7), [3], new() { Tolerance = 1e-10 });
        var (_, _, kinetic, frobenius) = layer.ForwardWithCost(golden["x"]);
        // over [0, 1] and with T·f in the place of f, both are T times as much
        Close(kinetic, golden["reference/squared_speed"].flatten().mul(0.7), 1e-6);
        Close(frobenius, golden["reference/squared_jacobian_frobenius"].flatten().mul(0.7), 1e-6);
    }

    [Fact]
    public void Gradients_equal_those_of_ffjord()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile("ffjord_cnf_2d");
        foreach (var way in new[] { OdeGradient.Checkpointed, OdeGradient.Graph })
        {
            using var layer = new ContinuousLayer(new Ffjord(golden, x => x.tanh(), 0.5), [2], new() { Tolerance = 1e-10, Gradient = way });
            var (z, logDet) = layer.Forward(golden["x"]);
            z.pow(2).sum(1).mul(0.5).add(Math.Log(2 * Math.PI)).sub(logDet).mean().backward();
            var names = golden.Keys.Where(k => k.StartsWith("tol1e-12/grad/odefunc", StringComparison.Ordinal)).ToArray();
            names.Should().NotBeEmpty();
            foreach (var key in names) Close(((Ffjord)layer.Dynamics).Weights[key["tol1e-12/grad/".Length..]].grad!, golden[key], 1e-7);
        }
    }

    [Fact]
    public void Latents_and_log_determinants_equal_those_of_zuko()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile("zuko_cnf_solver_3d");
        using var layer = new ContinuousLayer(new Zuko(golden), [3], new() { Tolerance = 1e-10 });
        layer.eval();
        var (z, logDet) = layer.Forward(golden["x"]);
        // The divergence has kinks, as ELU has two pieces, and what a step of one tolerance misses there is chance: with 1e-8 some 1e-5, by
        // another solver too. The reference is right to 1e-7.
        Close(z, golden["reference/z"], 2e-6);
        Close(logDet, golden["reference/logabsdet"], 2e-6);
    }

    private static void Close(Tensor ours, Tensor theirs, double tolerance)
    {
        ours.shape.Should().Equal(theirs.shape);
        ours.sub(theirs).abs().max().item<double>().Should().BeLessThan(tolerance * Math.Max(1, theirs.abs().max().item<double>()));
    }

    // v(t, x) = −T·f(T·(1 − t), x)
    private sealed class Ffjord : Dynamics
    {
        private readonly Func<Tensor, Tensor> activation;
        private readonly double end;
        private readonly int layers;

        public Ffjord(GoldenFile golden, Func<Tensor, Tensor> activation, double end) : base(nameof(Ffjord))
        {
            (this.activation, this.end) = (activation, end);
            foreach (var key in golden.Keys.Where(k => k.StartsWith("weights/odefunc", StringComparison.Ordinal)))
            {
                var parameter = new Parameter(golden[key].clone());
                parameter.DetachFromDisposeScope();
                Weights[key["weights/".Length..]] = parameter;
                register_parameter(key["weights/".Length..].Replace('.', '_'), parameter);
            }
            layers = Weights.Keys.Count(k => k.EndsWith("_layer.weight", StringComparison.Ordinal));
        }

        public Dictionary<string, Parameter> Weights { get; } = [];

        public override Tensor Velocity(Tensor t, Tensor x, Tensor? context = null)
        {
            using var scope = NewDisposeScope();
            var time = t.neg().add(1).mul(end).unsqueeze(1);
            for (var i = 0; i < layers; i++)
            {
                Parameter W(string name) => Weights[$"odefunc.diffeq.layers.{i}.{name}"];
                x = x.mm(W("_layer.weight").t()).add(W("_layer.bias")).mul(time.mm(W("_hyper_gate.weight").t()).add(
                    W("_hyper_gate.bias")).sigmoid()).add(time.mm(W("_hyper_bias.weight").t()));
                if (i < layers - 1) x = activation(x);
            }
            return scope.MoveToOuter(x.mul(-end));
        }
    }

    // data at t = 0, latents at t = 1: v(t, x) = −f(1 − t, x)
    private sealed class Zuko(GoldenFile golden) : Dynamics(nameof(Zuko), [3])
    {
        public override Tensor Velocity(Tensor t, Tensor x, Tensor? context = null)
        {
            using var scope = NewDisposeScope();
            var angles = t.neg().add(1).unsqueeze(1).mul(golden["weights/transform.freqs"].to(x.dtype));
            x = cat([angles.cos(), angles.sin(), x], 1);
            foreach (var i in new[] { 0, 2, 4 })
            {
                x = x.mm(golden[$"weights/transform.ode.{i}.weight"].to(x.dtype).t()).add(golden[$"weights/transform.ode.{i}.bias"].to(
                    x.dtype));
                if (i < 4) x = nn.functional.elu(x, 1);
            }
            return scope.MoveToOuter(x.neg());
        }
    }
}
