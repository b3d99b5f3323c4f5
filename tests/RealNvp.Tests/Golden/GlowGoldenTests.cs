using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Golden;

public class GlowGoldenTests
{
    [Fact]
    public void ActNorm_equals_glow()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile("glow_actnorm");
        using var layer = new ActNorm([6, 5, 5]);
        layer.to(float64);
        using (no_grad())
        {
            // theirs is scale · (x + loc)
            var state = layer.state_dict();
            state["log_scale"].copy_(golden["scale"].flatten().log());
            state["shift"].copy_(golden["loc"].flatten().mul(golden["scale"].flatten()));
        }
        layer.eval();
        var (y, logDet) = layer.Forward(golden["init_batch"]);
        Close(y, golden["y"]);
        Close(logDet, golden["logdet"].expand(4));
        Close(layer.Inverse(golden["y"]).Value, golden["x_inverse"]);
        Close(layer.Forward(golden["second_batch"]).Value, golden["second_y"]);
    }

    [Fact]
    public void ActNorm_begins_as_glow_does()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile("glow_actnorm");
        using var layer = new ActNorm([6, 5, 5]);
        layer.to(float64);
        layer.Forward(golden["init_batch"]);
        // theirs divides by the unbiased deviation plus 1e-6, ours by the biased one: √(n/(n-1)) apart, n = 4·5·5
        var theirs = golden["scale"].flatten().reciprocal().sub(1e-6).mul(Math.Sqrt(99.0 / 100)).reciprocal();
        Close(layer.state_dict()["log_scale"].exp(), theirs, 1e-12);
        Close(layer.state_dict()["shift"], theirs.mul(golden["loc"].flatten()), 1e-12);
    }

    [Fact]
    public void Invertible_convolution_equals_glow()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile("glow_invconv_lu");
        using var layer = new InvertibleLinear([6, 4, 4]);
        layer.to(float64);
        using (no_grad())
        {
            var state = layer.state_dict();
            state["lu"].copy_(golden["weights/w_l"].tril(-1).add(golden["weights/w_u"].triu(1)).add(golden["weights/w_s"].diag()));
            state["permutation"].copy_(golden["weights/w_p"].argmax(1));
            state["sign"].copy_(golden["weights/s_sign"]);
        }
        Close(layer.Matrix(), golden["weight"].reshape(6, 6));
        var (y, logDet) = layer.Forward(golden["x"]);
        Close(y, golden["y"]);
        Close(logDet, golden["logdet"].expand(3));
        Close(layer.Inverse(golden["y"]).Value, golden["x_inverse"]);
    }

    private static void Close(Tensor ours, Tensor theirs, double tolerance = 1e-13)
    {
        ours.shape.Should().Equal(theirs.shape);
        ours.sub(theirs).abs().max().item<double>().Should().BeLessThan(tolerance * Math.Max(1, theirs.abs().max().item<double>()));
    }
}
