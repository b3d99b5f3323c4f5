using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Bijections;

/// <summary>Planar, radial and Sylvester layers: what the laws over all layers cannot say.</summary>
[LeavesNoTensors]
public class LowRankLayerTests
{
    public static TheoryData<string> Names => [.. Layers.Keys];

    private static readonly EventShape shape = [4];

    private static readonly Dictionary<string, Func<Bijection>> Layers = new()
    {
        ["planar, tanh"] = () => new PlanarLayer(shape),
        ["planar, leaky ReLU"] = () => new PlanarLayer(shape, PlanarActivation.LeakyRelu),
        ["radial"] = () => new RadialLayer(shape),
        ["Sylvester"] = () => new SylvesterLayer(shape),
        ["Sylvester, two directions"] = () => new SylvesterLayer(shape, 2),
    };

    [Theory, MemberData(nameof(Names))]
    public void A_new_layer_is_the_identity(string name)
    {
        using var scope = NewDisposeScope();
        using var layer = Layers[name]();
        var x = randn(50, 4);
        var (z, logDet) = layer.Forward(x);
        z.sub(x).abs().max().item<float>().Should().BeLessThan(1e-5f);
        logDet.abs().max().item<float>().Should().BeLessThan(1e-5f);
    }

    [Theory, MemberData(nameof(Names))]
    public void Wild_weights_give_finite_values_and_gradients_in_float32(string name)
    {
        for (var seed = 0; seed < 40; seed++)
        {
            using var scope = NewDisposeScope();
            using var layer = Layers[name]();
            Draw(layer, seed, 10);
            foreach (var inverse in new[] { false, true })
            {
                var x = cat([randn(6, 4), zeros(1, 4), full([1, 4], 1e4f), full([1, 4], -1e20f)]).requires_grad_();
                var (value, logDet) = inverse ? layer.Inverse(x) : layer.Forward(x);
                value.sum().add(logDet.sum()).backward();
                foreach (var tensor in layer.parameters().Select(p => p.grad!).Concat([value, logDet, x.grad!]))
                    tensor.isfinite().all().item<bool>().Should().BeTrue("{0}, seed {1}, inverse {2}", name, seed, inverse);
                layer.zero_grad();
            }
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void The_inverse_of_wild_weights_is_found(string name)
    {
        for (var seed = 0; seed < 40; seed++)
        {
            using var scope = NewDisposeScope();
            using var _ = no_grad();
            using var layer = Layers[name]();
            Draw(layer, seed, 10);
            layer.to(float64);
            var z = cat([randn(20, 4, dtype: float64), randn(20, 4, dtype: float64).mul(100)]);
            var (x, logDet) = layer.Inverse(z);
            var (back, forward) = layer.Forward(x);
            // where a weight makes the map nearly flat, x is large and has coarse neighbours
            var scale = Math.Max(1, x.abs().max().item<double>());
            back.sub(z).abs().max().item<double>().Should().BeLessThan(1e-11 * scale, "{0}, seed {1}", name, seed);
            // steep or flat places lose digits of the log-determinant, not of the value
            forward.add(logDet).abs().max().item<double>().Should().BeLessThan(1e-5, "{0}, seed {1}", name, seed);
        }
    }

    [Theory, InlineData(PlanarActivation.Tanh), InlineData(PlanarActivation.LeakyRelu)]
    public void A_planar_layer_without_direction_is_a_shift_of_nothing(PlanarActivation activation)
    {
        using var scope = NewDisposeScope();
        using var layer = new PlanarLayer([3], activation);
        using (no_grad())
        {
            layer.state_dict()["w"].zero_();
            layer.state_dict()["u"].fill_(1e6);
            layer.state_dict()["b"].fill_(1);
        }
        var x = randn(5, 3);
        var (z, logDet) = layer.Forward(x);
        z.sub(x).abs().max().item<float>().Should().Be(0);
        logDet.abs().max().item<float>().Should().Be(0);
        z.sum().add(logDet.sum()).backward();
        foreach (var p in layer.parameters()) p.grad!.isfinite().all().item<bool>().Should().BeTrue();
    }

    [Fact]
    public void The_flattest_planar_layer_still_has_an_inverse()
    {
        using var scope = NewDisposeScope();
        using var layer = new PlanarLayer([1]);
        layer.to(float64);
        using (no_grad())
        {
            layer.state_dict()["w"].fill_(1);
            layer.state_dict()["u"].fill_(-1000);
        }
        var x = linspace(-3, 3, 101, dtype: float64).unsqueeze(1);
        var (z, logDet) = layer.Forward(x);
        logDet.min().item<double>().Should().BeApproximately(Math.Log(1e-6), 1e-9);
        layer.Inverse(z).Value.sub(x).abs().max().item<double>().Should().BeLessThan(1e-9);
    }

    [Fact]
    public void At_the_center_of_a_radial_layer_values_and_gradients_are_finite()
    {
        using var scope = NewDisposeScope();
        using var layer = new RadialLayer([3]);
        Draw(layer, 4, 1);
        var center = layer.state_dict()["center"].detach().clone();
        foreach (var inverse in new[] { false, true })
        {
            var x = center.unsqueeze(0).requires_grad_();
            var (value, logDet) = inverse ? layer.Inverse(x) : layer.Forward(x);
            value.sub(center).abs().max().item<float>().Should().Be(0);
            value.sum().add(logDet.sum()).backward();
            foreach (var gradient in layer.parameters().Select(p => p.grad!).Append(x.grad!))
                gradient.isfinite().all().item<bool>().Should().BeTrue();
        }
    }

    [Fact]
    public void A_radial_layer_is_the_formula_of_the_paper()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var layer = new RadialLayer([5]);
        Draw(layer, 3, 1);
        layer.to(float64);
        var state = layer.state_dict();
        var a = nn.functional.softplus(state["alpha"]).add(1e-6);
        var b = nn.functional.softplus(state["beta"]).add(1e-6).sub(a);
        var x = randn(7, 5, dtype: float64);
        var offset = x.sub(state["center"]);
        var r = offset.square().sum(1).sqrt();
        var h = r.add(a).reciprocal();
        var (z, logDet) = layer.Forward(x);
        z.sub(x.add(offset.mul(b.mul(h).unsqueeze(1)))).abs().max().item<double>().Should().BeLessThan(1e-13);
        var expected = b.mul(h).add(1).log().mul(4).add(b.mul(h).sub(b.mul(h.square()).mul(r)).add(1).log());
        logDet.sub(expected).abs().max().item<double>().Should().BeLessThan(1e-12);
    }

    [Fact]
    public void A_Sylvester_layer_is_the_formula_of_the_paper()
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        using var layer = new SylvesterLayer([5], 3);
        Draw(layer, 6, 1);
        layer.to(float64);
        var state = layer.state_dict();
        var q = eye(5, dtype: float64);
        for (var k = 0; k < 3; k++)
        {
            var v = state["reflections"][k];
            q = q.matmul(eye(5, dtype: float64).sub(v.outer(v).mul(2).div(v.dot(v))));
        }
        q = q.narrow(1, 0, 3);
        q.t().matmul(q).sub(eye(3, dtype: float64)).abs().max().item<double>().Should().BeLessThan(1e-14);
        var (outer, inner) = (Triangle(state["r"]), Triangle(state["r_tilde"]));
        var x = randn(7, 5, dtype: float64);
        var a = x.matmul(q).matmul(inner.t()).add(state["b"]);
        var (z, logDet) = layer.Forward(x);
        z.sub(x.add(a.tanh().matmul(outer.t()).matmul(q.t()))).abs().max().item<double>().Should().BeLessThan(1e-13);
        // Sylvester's identity: the determinant of M×M stands for that of D×D
        for (var n = 0; n < 7; n++)
        {
            var (_, expected) =
                linalg.slogdet(eye(3, dtype: float64).add(a[n].cosh().square().reciprocal().diag().matmul(inner).matmul(outer)));
            logDet[n].item<double>().Should().BeApproximately(expected.item<double>(), 1e-12);
        }

        static Tensor Triangle(Tensor packed) => packed.triu(1).add(packed.diagonal().tanh().mul(0.999).diag());
    }

    [Theory, InlineData(0), InlineData(6)]
    public void A_Sylvester_layer_has_1_to_D_directions(long directions) =>
        FluentActions.Invoking(() => new SylvesterLayer([5], directions)).Should().Throw<ArgumentOutOfRangeException>()
            .WithMessage("*1 to 5*");

    [Fact]
    public void Values_without_a_root_are_an_error_that_names_the_layer()
    {
        using var scope = NewDisposeScope();
        using var layer = new PlanarLayer([2]);
        layer.to(float64);
        using (no_grad())
            foreach (var parameter in layer.parameters()) parameter.fill_(3);
        // no float64 holds the product of such numbers with weights of 3
        var act = () => layer.Inverse(full([1, 2], 1.7e308, float64));
        act.Should().Throw<InvalidOperationException>().WithMessage("PlanarLayer.Inverse found no root*");
        var wrong = () => layer.Inverse(full([1, 2], double.NaN, float64));
        wrong.Should().Throw<ArgumentException>().WithMessage("PlanarLayer.Inverse expects finite values*in row 0*");
    }

    [Fact]
    public void Bad_arguments_are_refused()
    {
        FluentActions.Invoking(() => new PlanarLayer([2, 3, 3])).Should().Throw<ArgumentException>()
            .WithMessage("A planar layer needs a vector [D]*(2, 3, 3)*");
        FluentActions.Invoking(() => new PlanarLayer([-1])).Should().Throw<ArgumentException>().WithMessage("*known size*");
        FluentActions.Invoking(() => new RadialLayer([2, 3, 3])).Should().Throw<ArgumentException>()
            .WithMessage("A radial layer needs a vector [D]*(2, 3, 3)*");
        FluentActions.Invoking(() => new SylvesterLayer([2, 3, 3])).Should().Throw<ArgumentException>()
            .WithMessage("A Sylvester layer needs a vector [D]*(2, 3, 3)*");
        FluentActions.Invoking(() => new PlanarLayer([2], (PlanarActivation)7)).Should().Throw<ArgumentOutOfRangeException>();
    }

    private static void Draw(nn.Module layer, int seed, double spread)
    {
        manual_seed(seed).Dispose();
        using var _ = no_grad();
        foreach (var p in layer.parameters()) p.normal_(0, spread);
    }
}
