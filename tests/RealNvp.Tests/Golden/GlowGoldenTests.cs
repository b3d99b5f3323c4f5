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
        using var layer = new InvertibleLinearLayer([6, 4, 4]);
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

    [Fact]
    public void Coupling_equals_glow()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile("glow_coupling_affine");
        using var layer = new CouplingLayer([6, 4, 4], Mask.ChannelWise(6), new SigmoidAffineTransformer(), new GlowConvNet(3, 6, 10));
        layer.to(float64);
        Load(layer, ours => golden["weights/" + Net(ours["conditioner.".Length..])]);
        var (y, logDet) = layer.Forward(golden["x"]);
        Close(y, golden["y"]);
        Close(logDet, golden["logdet"]);
        Close(layer.Inverse(golden["y"]).Value, golden["x_inverse"]);
    }

    [Fact]
    public void The_whole_model_and_its_gradients_equal_glow()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile("glow_full_3x8x8");
        using var model = new GlowModel(new() { Shape = [3, 8, 8], Levels = 0, Scales = 2, Layers = 2, Hidden = 8 });
        model.to(float64);
        Load(model, ours => Theirs(golden, ours));
        model.eval();

        var bits = model.BitsPerDim(golden["x"]);
        // theirs counts the 32 levels in
        Close(bits.add(5), golden["bits_per_dim_each"]);
        // latents: ours are standard normal, theirs have the learned mean and scale; so samples and reconstructions compare
        var z = model.Encode(golden["x"]);
        Close(model.Decode(z), golden["reconstructed"]);
        Close(model.Decode(model.JoinLatent(golden["sample_eps0"], golden["sample_eps1"])), golden["sample"]);

        var loss = model.NegativeLogLikelihood(golden["x"]).div(192 * Math.Log(2));
        Close(loss.add(5), golden["bits_per_dim"]);
        loss.backward();
        var compared = 0;
        foreach (var (name, parameter) in model.named_parameters())
        {
            if (name.Contains("conditioner", StringComparison.Ordinal) || name.Contains("conv.", StringComparison.Ordinal))
            {
                Close(parameter.grad!, golden["grad/" + Name(name)], 1e-12);
                compared++;
            }
            else if (name.EndsWith(".lu", StringComparison.Ordinal))
            {
                var block = "grad/" + Name(name)[..^"lu".Length];
                Close(parameter.grad!, golden[block + "w_l"].tril(-1).add(golden[block + "w_u"].triu(1)).add(golden[block + "w_s"].diag()),
                    1e-12);
                compared++;
            }
        }
        compared.Should().Be((4 * 7) + 4 + (2 * 3));
    }

    private static void Load(nn.Module module, Func<string, Tensor> theirs)
    {
        using var gradients = no_grad();
        foreach (var (ours, tensor) in module.state_dict())
        {
            var value = theirs(ours);
            value.numel().Should().Be(tensor.numel(), "{0} has the same size", ours);
            tensor.copy_(value.reshape(tensor.shape));
        }
    }

    private static Tensor Theirs(GoldenFile golden, string ours)
    {
        var name = "weights/" + Name(ours);
        var block = name[..(name.LastIndexOf('.') + 1)];
        return name[block.Length..] switch
        {
            "log_scale" => golden[block + "scale"].log(),
            "shift" => golden[block + "loc"].mul(golden[block + "scale"]),
            "initialized" => tensor(true),
            "lu" => golden[block + "w_l"].tril(-1).add(golden[block + "w_u"].triu(1)).add(golden[block + "w_s"].diag()),
            "permutation" => golden[block + "w_p"].argmax(1),
            "sign" => golden[block + "s_sign"],
            _ => golden[name],
        };
    }

    // ours: bijection.layers.0.scales.S.layers.I, with the squeeze at 0 and the
    // prior at the end; theirs: blocks.S.flows.K.(actnorm, invconv, coupling)
    private static string Name(string ours)
    {
        var parts = ours.Split('.');
        var (scale, layer, rest) = (parts[4], int.Parse(parts[6], System.Globalization.CultureInfo.InvariantCulture),
            string.Join('.', parts[7..]));
        if (layer == 7)
        {
            var prefix = rest.StartsWith("conditioner.", StringComparison.Ordinal) ? "conditioner." : "conv.";
            return $"blocks.{scale}.prior.{rest[prefix.Length..]}";
        }
        var flow = $"blocks.{scale}.flows.{(layer - 1) / 3}.";
        return ((layer - 1) % 3) switch
        {
            0 => flow + "actnorm." + rest,
            1 => flow + "invconv." + rest,
            _ => flow + "coupling." + Net(rest["conditioner.".Length..]),
        };
    }

    private static string Net(string ours) => ours
        .Replace("first.", "net.0.", StringComparison.Ordinal).Replace("second.", "net.2.", StringComparison.Ordinal).Replace("last.",
            "net.4.", StringComparison.Ordinal);

    private static void Close(Tensor ours, Tensor theirs, double tolerance = 1e-13)
    {
        ours.shape.Should().Equal(theirs.shape);
        ours.sub(theirs).abs().max().item<double>().Should().BeLessThan(tolerance * Math.Max(1, theirs.abs().max().item<double>()));
    }
}
