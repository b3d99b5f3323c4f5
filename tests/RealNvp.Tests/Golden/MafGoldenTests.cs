using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Golden;

/// <summary>Our masked networks and autoregressive layers against those of nflows.</summary>
public class MafGoldenTests
{
    private const double Tolerance = 1e-12;

    [Fact, LeavesNoTensors]
    public void Made_equals_nflows()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile("nflows_made");
        using var made = Theirs(golden, "weights/", features: 4, parameters: 3);
        // theirs has the parameters of a feature together
        Close(made.call(golden["x"], null).unflatten(1, [3, 4]).transpose(1, 2).flatten(1), golden["out"]);
    }

    [Fact]
    public void Maf_and_its_gradients_equal_nflows()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile("nflows_maf_5d");
        using var chain = new Chain([.. Enumerable.Range(0, 6).Select(Bijection (i) => i % 2 == 1
            ? Permutation.Reversal([5])
            : new AutoregressiveLayer(new SoftplusAffine(), Theirs(golden, $"weights/_transform._transforms.{i}.autoregressive_net.",
                features: 5, parameters: 2)))]);
        var value = golden["x"];
        for (var i = 0; i < 6; i++)
        {
            (value, var step) = chain.Layers[i].Forward(value);
            Close(value, golden[$"layer{i}/out"]);
            Close(step, golden[$"layer{i}/logabsdet"]);
        }
        var (z, logDet) = chain.Forward(golden["x"]);
        Close(z, golden["z"]);
        Close(logDet, golden["logabsdet"]);
        var (back, inverse) = chain.Inverse(z.detach());
        Close(back, golden["x_reconstructed"]);
        Close(inverse, golden["inverse_logabsdet"]);
        using (no_grad())
        {
            var (samples, sampled) = chain.Inverse(golden["noise"]);
            Close(samples, golden["samples_from_noise"]);
            Close(sampled, golden["samples_inverse_logabsdet"]);
        }

        using var flow = new Flow([5], chain);
        var loss = flow.NegativeLogLikelihood(golden["x"]).mean();
        Close(loss, golden["loss"]);
        loss.backward();
        foreach (var i in new[] { 0, 2, 4 })
        {
            var name = $"_transform._transforms.{i}.autoregressive_net.";
            var weights = chain.Layers[i].named_parameters().ToDictionary(p => p.name["made.".Length..], p => p.parameter.grad!);
            foreach (var (ours, gradient) in Arranged(golden, $"grad/{name}", features: 5, parameters: 2)) Close(weights[ours], gradient);
        }
    }

    [Fact]
    public void Residual_blocks_without_the_last_activation_are_those_of_nflows()
    {
        using var scope = NewDisposeScope();
        manual_seed(3);
        using var made = new Made(4, 3, new() { Hidden = 12, Blocks = 2, FinalActivation = false });
        made.to(float64);
        using var _ = no_grad();
        foreach (var p in made.parameters()) p.copy_(randn(p.shape, dtype: float64));
        var w = made.state_dict();
        // nflows.transforms.made: h = initial(x); h += linear2(relu(linear1(relu(h)))) in each block; final(h)
        Tensor Layer(string name, Tensor x, Tensor mask) => nn.functional.linear(x, w[$"{name}.weight"].mul(mask), w[$"{name}.bias"]);
        var degrees = tensor(Enumerable.Range(0, 12).Select(j => 1 + (j * 3L / 12)).ToArray());
        var features = arange(4, dtype: int64);
        var (hidden, last) = (degrees.unsqueeze(1).ge(degrees).to(float64), features.unsqueeze(1).ge(degrees).to(float64).repeat(3, 1));
        var x = randn([5, 4], dtype: float64);
        var h = Layer("first", x, degrees.unsqueeze(1).gt(features).to(float64));
        for (var i = 0; i < 2; i++) h = h.add(Layer($"outer.{i}", Layer($"inner.{i}", h.relu(), hidden).relu(), hidden));
        Close(made.call(x, null), Layer("last", h, last));
    }

    private static Made Theirs(GoldenFile golden, string prefix, long features, long parameters)
    {
        var weights = Arranged(golden, prefix, features, parameters);
        var made = new Made(features, parameters, new() { Hidden = weights["first.bias"].shape[0], Blocks = 1, Residual = false });
        made.to(float64);
        using var _ = no_grad();
        foreach (var (name, value) in made.state_dict()) value.copy_(weights[name]);
        return made;
    }

    /// <summary>Their weights with hidden units sorted by degree, which for
    /// unit j is j mod (D − 1) + 1, and outputs sorted by parameter.</summary>
    private static Dictionary<string, Tensor> Arranged(GoldenFile golden, string prefix, long features, long parameters)
    {
        var units = golden[$"{prefix}initial_layer.bias"].shape[0];
        var sorted = tensor(Enumerable.Range(0, (int)units).OrderBy(j => j % (features - 1)).Select(j => (long)j).ToArray());
        Tensor Columns(Tensor weight) => weight.index_select(1, sorted);
        Tensor Outputs(Tensor last) => last.unflatten(0, [features, parameters]).transpose(0, 1).flatten(0, 1);
        return new()
        {
            ["first.weight"] = golden[$"{prefix}initial_layer.weight"].index_select(0, sorted),
            ["first.bias"] = golden[$"{prefix}initial_layer.bias"].index_select(0, sorted),
            ["inner.0.weight"] = Columns(golden[$"{prefix}blocks.0.linear.weight"].index_select(0, sorted)),
            ["inner.0.bias"] = golden[$"{prefix}blocks.0.linear.bias"].index_select(0, sorted),
            ["last.weight"] = Columns(Outputs(golden[$"{prefix}final_layer.weight"])),
            ["last.bias"] = Outputs(golden[$"{prefix}final_layer.bias"]),
        };
    }

    private static void Close(Tensor ours, Tensor theirs)
    {
        ours.shape.Should().Equal(theirs.shape);
        ours.sub(theirs).abs().div(theirs.abs().clamp_min(1)).max().item<double>().Should().BeLessThan(Tolerance);
    }

    /// <summary>y = x s + t with s = softplus(a) + 0.001.</summary>
    private sealed class SoftplusAffine() : ScalarTransformer(nameof(SoftplusAffine))
    {
        public override int ParametersPerElement => 2;

        public override (Tensor Value, Tensor? LogDerivative) Forward(Tensor x, Tensor parameters)
        {
            var (s, t) = Split(parameters);
            return (x.mul(s).add(t), s.log());
        }

        public override (Tensor Value, Tensor? LogDerivative) Inverse(Tensor y, Tensor parameters)
        {
            var (s, t) = Split(parameters);
            return (y.sub(t).div(s), s.log().neg());
        }

        private static (Tensor S, Tensor T) Split(Tensor parameters)
        {
            var half = parameters.shape[1] / 2;
            return (nn.functional.softplus(parameters.narrow(1, 0, half)).add(1e-3), parameters.narrow(1, half, half));
        }
    }
}
