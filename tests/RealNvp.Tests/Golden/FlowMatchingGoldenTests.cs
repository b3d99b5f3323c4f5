using RealNvp.Internal;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Golden;

/// <summary>Paths, velocities, plans and a loss against those of torchcfm and POT.</summary>
[LeavesNoTensors]
public class FlowMatchingGoldenTests
{
    public static TheoryData<string, string> Paths =>
        [.. from folder in new[] { "torchcfm_paths_2d", "torchcfm_paths_image" }
            from path in new[] { "independent", "independent_sigma0", "target", "variance_preserving" } select (folder, path)];

    [Theory, MemberData(nameof(Paths))]
    public void Paths_equal_those_of_torchcfm(string folder, string path)
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile(folder);
        var (form, sigma) = path switch
        {
            "independent" => (FlowMatchingPath.Straight, 0.1),
            "independent_sigma0" => (FlowMatchingPath.Straight, 0),
            "target" => (FlowMatchingPath.Shrinking, 0.1),
            _ => (FlowMatchingPath.VariancePreserving, 0.1),
        };
        var paths = new FlatPaths(form, sigma, []);
        // its conditional path starts from the noise
        var (point, velocity) = paths.At(path == "target" ? golden["eps"] : golden["x0"], golden["x1"], golden["t"], golden["eps"]);
        Close(point, golden[$"{path}/x_t"], 1e-14);
        Close(velocity, golden[$"{path}/u_t"], 1e-13);
    }

    [Fact]
    public void A_network_its_loss_and_its_gradients_equal_those_of_torchcfm()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile("torchcfm_paths_2d");
        using var network = new TimeMlp([2], 12, 3, activation: SmoothActivation.Selu);
        network.to(float64);
        var state = network.state_dict();
        var first = golden["weights/net.0.weight"];
        using (no_grad())
        {
            state["layers.0.weight"].copy_(first.narrow(1, 0, 2));
            state["time.weight"].copy_(first.narrow(1, 2, 1));
            state["layers.0.bias"].copy_(golden["weights/net.0.bias"]);
            for (var i = 1; i < 4; i++)
                foreach (var part in new[] { "weight", "bias" }) state[$"layers.{i}.{part}"].copy_(golden[$"weights/net.{2 * i}.{part}"]);
        }
        var velocity = network.Velocity(golden["t"], golden["independent/x_t"]);
        Close(velocity, golden["model_v_independent"], 1e-14);
        var loss = velocity.sub(golden["independent/u_t"]).square().flatten(1).mean([1L]).mean();
        Close(loss, golden["loss_independent"], 1e-14);
        loss.backward();
        var gradients = network.named_parameters().ToDictionary(p => p.name, p => p.parameter.grad!);
        Close(cat([gradients["layers.0.weight"], gradients["time.weight"]], 1), golden["grad/net.0.weight"], 1e-13);
        for (var i = 0; i < 4; i++) Close(gradients[$"layers.{i}.bias"], golden[$"grad/net.{2 * i}.bias"], 1e-13);
        for (var i = 1; i < 4; i++) Close(gradients[$"layers.{i}.weight"], golden[$"grad/net.{2 * i}.weight"], 1e-13);
    }

    [Theory, InlineData("square"), InlineData("square_image")]
    public void Assignments_and_plans_equal_those_of_POT(string group)
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile("torchcfm_ot_2d");
        var (x0, x1) = (golden[$"{group}/x0"], golden[$"{group}/x1"]);
        var count = (int)x0.shape[0];
        var costs = new FlatPaths(FlowMatchingPath.Straight, 0, []).Costs(x0, x1);
        Close(costs, golden[$"{group}/cost"], 1e-13);
        var assignment = LinearAssignment.Solve([.. costs.data<double>()], count);
        assignment.Select(j => (long)j).Should().Equal(golden[$"{group}/assignment"].data<long>());
        // each example gets the latent that goes to it
        var latents = MatchedPairs.Latents(FlowMatchingPairing.OptimalTransport, new FlatPaths(FlowMatchingPath.Straight, 0, []), x0, x1,
            1, null);
        for (var i = 0; i < count; i++) Close(latents[assignment[i]], x0[i], 1e-15);
        foreach (var strength in new[] { 0.72, 0.5 })
        {
            var name = FormattableString.Invariant($"{group}/plan_sinkhorn_reg{strength}");
            var (plan, error) = SinkhornPlan.Log(costs.div(strength), 10_000, 1e-10);
            error.Should().BeLessThan(1e-9);
            Close(plan.exp(), golden[name], 1e-7);
        }
    }

    private static void Close(Tensor ours, Tensor theirs, double tolerance)
    {
        ours.shape.Should().Equal(theirs.shape);
        ours.sub(theirs).abs().max().item<double>().Should().BeLessThan(tolerance * Math.Max(1, theirs.abs().max().item<double>()));
    }
}
