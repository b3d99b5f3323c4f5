using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Golden;

/// <summary>Our concat-squash network against that of FFJORD.</summary>
[LeavesNoTensors]
public class FfjordGoldenTests
{
    [Theory, InlineData("ffjord_cnf_2d", 2, 12, SmoothActivation.Tanh, ""), InlineData("ffjord_cnf_3d_regularized", 3, 16,
        SmoothActivation.Softplus, "t0.3/")]
    public void The_field_and_its_divergence_equal_those_of_ffjord(string folder, int features, int hidden, SmoothActivation activation,
        string group)
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile(folder);
        using var dynamics = Load(golden, features, hidden, activation);
        var (x, e) = (golden["x"], golden["rademacher_e"]);
        var t = full([x.shape[0]], 0.3, dtype: float64);
        var (field, minus, estimate) = group.Length > 0
            ? (golden["t0.3/field"], golden["t0.3/minus_divergence"], golden["t0.3/minus_divergence_hutchinson_rademacher"])
            : (golden["field_t0.3"], golden["minus_divergence_t0.3"], golden["minus_divergence_hutchinson_t0.3"]);
        Close(dynamics.Velocity(t, x), field);
        // one time for all by an expanded tensor is computed once
        Close(dynamics.Velocity(t.narrow(0, 0, 1).expand(x.shape[0]), x), field);
        var (velocity, divergence) = dynamics.VelocityAndDivergence(t, x);
        Close(velocity, field);
        Close(divergence, minus.flatten().neg());
        var (_, products) = dynamics.VelocityAndProducts(t, x, e.unsqueeze(0));
        Close(products[0].mul(e).sum(1), estimate.flatten().neg());
    }

    /// <summary>FFJORD's network with the weights of a golden file, in float64.</summary>
    internal static ConcatSquashMlp Load(GoldenFile golden, int features, int hidden, SmoothActivation activation)
    {
        var dynamics = new ConcatSquashMlp(features, hidden, 2, activation: activation);
        dynamics.to(float64);
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        foreach (var (ours, tensor) in dynamics.state_dict())
            tensor.copy_(golden["weights/odefunc.diffeq." + ours.Replace(".layer.", "._layer.", StringComparison.Ordinal).Replace(".hyper_",
                "._hyper_", StringComparison.Ordinal)]);
        return dynamics;
    }

    private static void Close(Tensor ours, Tensor theirs)
    {
        ours.shape.Should().Equal(theirs.shape);
        ours.sub(theirs).abs().max().item<double>().Should().BeLessThan(1e-14 * Math.Max(1, theirs.abs().max().item<double>()));
    }
}
