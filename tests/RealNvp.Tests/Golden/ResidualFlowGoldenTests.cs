using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Golden;

/// <summary>Our residual layers against rtqichen/residual-flows: values, exact
/// log-determinants, estimates with the stored noise, gradients, inverses.</summary>
[LeavesNoTensors]
public class ResidualFlowGoldenTests
{
    [Fact]
    public void A_block_for_vectors_equals_residual_flows()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile("resflow_block_2d");
        using var layer = Block(golden, "weights/", "nnet.", new LipschitzMlp(2, 2, 16, 2));
        Same(layer, golden, "");
        Estimates(layer, golden, golden["eps"], golden["hutchinson_terms"], golden["hutchinson_truncated"], golden["roulette_coefficients"],
            golden["roulette_estimate_basic"], "grad_roulette_basic/", "grad_neumann/", golden["neumann_value"]);
    }

    [Fact]
    public void A_block_for_images_equals_residual_flows()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile("resflow_conv_3x8x8");
        using var layer = Block(golden, "weights/", "nnet.", new LipschitzConvNet([3, 8, 8], 3, 8, coefficient: 0.9), [3, 8, 8]);
        Same(layer, golden, "");
        var jacobian = NetworkCall.Of(layer.Network).At(golden["x"], null).Jacobian();
        Close(jacobian[0], golden["jacobian_of_g_first"]);
        foreach (var (noise, expected) in new[] { ("eps", "truncated_hutchinson_gaussian"),
            ("rademacher", "truncated_hutchinson_rademacher") })
            Truncated(layer, golden["x"], golden[noise], golden["terms"], golden[expected]);
        foreach (var kind in new[] { "geometric", "poisson" })
            Estimates(layer, golden, golden["eps"], null, null, golden[$"roulette_{kind}/coefficients"],
                golden[$"roulette_{kind}/estimate"], $"roulette_{kind}/grad/", $"roulette_{kind}/neumann_grad/",
                golden[$"roulette_{kind}/neumann_value"]);
    }

    [Fact]
    public void Three_blocks_equal_residual_flows()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile("resflow_stack_2d");
        var blocks = Enumerable.Range(0, 3).Select(i => Block(golden, $"weights/chain.{i}.", "nnet.", new LipschitzMlp(2, 2, 16, 2)))
            .ToArray();
        using var flow = new Flow([2], new Chain([.. blocks]));
        flow.to(float64);
        flow.eval();
        var x = golden["x"];
        for (var i = 0; i < 3; i++)
        {
            var (z, logDet) = blocks[i].Forward(x);
            Close(z, golden[$"layer{i}/out"]);
            Close(logDet, golden[$"layer{i}/logdet"]);
            x = z;
        }
        Close(flow.LogProb(golden["x"]), golden["log_prob"]);
        Close(flow.Decode(golden["z"]), golden["x_inverse"], 1e-11);
        Close(flow.Decode(golden["noise"]), golden["samples_from_noise"], 1e-11);
        var loss = flow.NegativeLogLikelihood(golden["x"]);
        Close(loss, golden["nll"]);
        loss.backward();
        for (var i = 0; i < 3; i++) Gradients(blocks[i], golden, $"grad/chain.{i}.nnet.");
    }

    private static void Same(ResidualLayer layer, GoldenFile golden, string prefix)
    {
        var x = golden["x"];
        using (no_grad())
        {
            var lipschitz = layer.Network.modules().OfType<LipschitzLayer>().ToArray();
            for (var i = 0; i < lipschitz.Length; i++) Close(lipschitz[i].Normalized(), golden[$"{prefix}effective_weight/{i}"]);
            var (y, logDet) = layer.Forward(x);
            Close(y, golden["y"]);
            Close(logDet, golden["logdet_exact"]);
            var (back, opposite) = layer.Inverse(golden["y"]);
            Close(back, golden["x_inverse"], 1e-11);
            Close(opposite, golden["logdet_exact"].neg(), 1e-11);
        }
        layer.zero_grad();
        layer.Forward(x).LogDet.sum().backward();
        Gradients(layer, golden, "grad_exact/");
    }

    private static void Estimates(ResidualLayer layer, GoldenFile golden, Tensor noise, Tensor? terms, Tensor? truncated,
        Tensor coefficients, Tensor estimate, string basic, string neumann, Tensor surrogate)
    {
        var x = golden["x"];
        if (terms is not null) Truncated(layer, x, noise, terms, truncated!);
        double[] weights = [.. coefficients.data<double>()];
        foreach (var (gradient, prefix) in new[] { (false, basic), (true, neumann) })
        {
            layer.zero_grad();
            var found = SeriesLogDet.Of(NetworkCall.Of(layer.Network).At(x, null), noise, weights,
                new ResidualLogDet { NeumannGradient = gradient });
            // the value is that of the estimate in both, while the peer's is that of the surrogate
            Close(found, estimate);
            found.sum().backward();
            Gradients(layer, golden, prefix);
        }
        surrogate.sub(estimate).abs().max().item<double>().Should().BeGreaterThan(1e-5);
    }

    private static void Truncated(ResidualLayer layer, Tensor x, Tensor noise, Tensor terms, Tensor expected)
    {
        using var _ = no_grad();
        var counts = terms.data<long>().ToArray();
        for (var i = 0; i < counts.Length; i++)
            Close(SeriesLogDet.Of(NetworkCall.Of(layer.Network).At(x, null), noise, [.. Enumerable.Repeat(1.0, (int)counts[i])],
                new ResidualLogDet { Series = ResidualSeries.Truncated }), expected[i]);
    }

    [Theory]
    [InlineData(RouletteKind.Geometric, 0.5), InlineData(RouletteKind.Poisson, 2.0)]
    public void Terms_are_weighted_as_in_residual_flows(RouletteKind kind, double parameter)
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile("resflow_conv_3x8x8");
        double[] expected =
            [.. golden[$"roulette_{(kind == RouletteKind.Geometric ? "geometric" : "poisson")}/coefficients"].data<double>()];
        var found = SeriesLogDet.Weights(new ResidualLogDet { Roulette = kind, RouletteParameter = parameter }, 2, 0);
        found.Length.Should().BeGreaterThan(expected.Length);
        for (var i = 0; i < expected.Length; i++) found[i].Should().BeApproximately(expected[i], 1e-12);
    }

    private static ResidualLayer Block(GoldenFile golden, string prefix, string net, Conditioner network, EventShape? shape = null)
    {
        var layer = new ResidualLayer(shape ?? [2], network, new ResidualLogDet { ExactUpTo = 256 });
        layer.to(float64);
        layer.eval();
        using var _ = no_grad();
        foreach (var (ours, tensor) in network.state_dict()) tensor.copy_(golden[prefix + net + Theirs(ours)].reshape(tensor.shape));
        return layer;
    }

    // activations.i.beta > 2i.beta, layers.i.weight > (2i + 1).weight
    private static string Theirs(string ours)
    {
        var parts = ours.Split('.');
        var place = (2 * int.Parse(parts[1], System.Globalization.CultureInfo.InvariantCulture)) + (parts[0] == "layers" ? 1 : 0);
        return $"{place}.{parts[2]}";
    }

    private static void Gradients(ResidualLayer layer, GoldenFile golden, string prefix)
    {
        foreach (var (name, parameter) in layer.Network.named_parameters())
        {
            var key = prefix + Theirs(name);
            // the bias of the last layer moves no log-determinant
            if (parameter.grad is { } gradient) Close(gradient, golden[key]);
            else golden.Keys.Should().NotContain(k => k == key && golden[k].abs().max().item<double>() > 0);
        }
    }

    private static void Close(Tensor ours, Tensor theirs, double tolerance = 1e-12)
    {
        ours.shape.Should().Equal(theirs.shape);
        ours.detach().sub(theirs).abs().max().item<double>().Should()
            .BeLessThan(tolerance * Math.Max(1, theirs.abs().max().item<double>()));
    }
}
