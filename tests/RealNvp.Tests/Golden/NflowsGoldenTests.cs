using RealNvp.Tests.Infrastructure;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp.Tests.Golden;

/// <summary>Our splines against those of nflows, the library of the paper's authors.</summary>
[LeavesNoTensors]
public class NflowsGoldenTests
{
    private const int Bins = 8, Extreme = 4;

    // ours has derivative 1 at parameter 0; theirs is a plain softplus
    private static readonly double steepness = Math.Log(2) / (1 - SplineTransformer.MinDerivative);

    [Fact]
    public void Spline_and_its_gradients_equal_nflows()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile("nflows_rqs_function");
        // with their identity initialization, the derivative at their outer
        // knots is 1.295 and not 1, so that they jump there: a box can say that
        using var spline = new SplineTransformer(Bins, 3, SplineTails.Box);
        var outer = full([golden["x"].shape[0], 1], Math.Log(Math.Exp(1 - SplineTransformer.MinDerivative) - 1), dtype: float64);
        var inside = golden["x"].abs().lt(3).to(float64);
        var x = golden["x"].unsqueeze(1).requires_grad_();
        var parameters = cat([golden["unnormalized_widths"], golden["unnormalized_heights"], outer, golden["unnormalized_derivatives"],
            outer], 1).requires_grad_();
        var (y, logDerivative) = spline.Forward(x, parameters);
        CloseInside(y.squeeze(1), golden["y_identity_init"]);
        CloseInside(logDerivative!.squeeze(1), golden["logabsdet_identity_init"]);
        y.sin().add(logDerivative.mul(y)).sum().backward();
        CloseInside(x.grad!.squeeze(1), golden["grad_x_identity_init"]);
        CloseInside(parameters.grad!.narrow(1, 0, Bins), golden["grad_widths_identity_init"]);
        CloseInside(parameters.grad!.narrow(1, Bins, Bins), golden["grad_heights_identity_init"]);
        CloseInside(parameters.grad!.narrow(1, (2 * Bins) + 1, Bins - 1), golden["grad_derivatives_identity_init"]);
        var (back, inverse) = spline.Inverse(golden["y_identity_init"].unsqueeze(1), parameters);
        CloseInside(back.squeeze(1), golden["x_inverse_identity_init"], 1e-8);
        CloseInside(inverse!.squeeze(1), golden["logabsdet_inverse_identity_init"], 1e-8);

        void CloseInside(Tensor ours, Tensor theirs, double tolerance = 1e-11)
        {
            var rows = theirs.dim() == 1 ? inside : inside.unsqueeze(1);
            Close(ours.mul(rows), theirs.mul(rows), tolerance);
        }
    }

    [Fact]
    public void Spline_with_a_plain_softplus_equals_nflows()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile("nflows_rqs_function");
        using var spline = new SplineTransformer(Bins, 3);
        var parameters = cat([golden["unnormalized_widths"], golden["unnormalized_heights"], Ours(golden["unnormalized_derivatives"])], 1);
        var (y, logDerivative) = spline.Forward(golden["x"].unsqueeze(1), parameters);
        Close(y.squeeze(1), golden["y"]);
        Close(logDerivative!.squeeze(1), golden["logabsdet"]);
        var (back, inverse) = spline.Inverse(golden["y"].unsqueeze(1), parameters);
        Close(back.squeeze(1), golden["x_inverse"], 1e-8);
        Close(inverse!.squeeze(1), golden["logabsdet_inverse"], 1e-8);
    }

    [Fact]
    public void Spline_in_a_box_equals_nflows()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile("nflows_rqs_function");
        using var spline = new SplineTransformer(Bins, 0, 1, SplineTails.Box);
        var parameters = cat([golden["unnormalized_widths"], golden["unnormalized_heights"], Ours(golden["derivatives_no_tails"])], 1);
        var x = golden["x01"].unsqueeze(1);
        var (y, logDerivative) = spline.Forward(x, parameters);
        Close(y.squeeze(1), golden["y_no_tails"]);
        Close(logDerivative!.squeeze(1), golden["logabsdet_no_tails"]);
        Close(spline.Inverse(golden["y_no_tails"].unsqueeze(1), parameters).Value.squeeze(1), golden["x_inverse_no_tails"], 1e-8);
    }

    [Fact]
    public void Spline_couplings_equal_nflows()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenFile("nflows_rqs_coupling_5d");
        var couplings = Enumerable.Range(0, 3)
            .Select(k => new CouplingLayer([5], new Mask([5], [.. Enumerable.Range(0, 5).Select(i => i % 2 == k % 2)]),
            new SplineTransformer(Bins, 3), new TheirNetwork(golden, $"weights/_transform._transforms.{k}.transform_net.net."))).ToArray();
        using var chain = new Chain(couplings);
        var x = golden["x"];
        var z = x;
        for (var k = 0; k < 3; k++)
        {
            var (next, step) = couplings[k].Forward(z);
            Close(next, golden[$"layer{k}/out"], 1e-12, 0);
            Close(step, golden[$"layer{k}/logabsdet"], 1e-12, 0);
            z = next;
        }
        var (all, logDet) = chain.Forward(x);
        Close(all, golden["z"], 1e-12, 0);
        Close(logDet, golden["logabsdet"], 1e-12, 0);
        var (samples, inverse) = chain.Inverse(golden["noise"]);
        Close(samples, golden["samples_from_noise"], 1e-12, 0);
        Close(inverse, golden["samples_inverse_logabsdet"], 1e-12, 0);
        var loss = all.square().sum([1L]).mul(0.5).add(2.5 * Math.Log(2 * Math.PI)).sub(logDet).mean();
        Close(loss, golden["loss"], 1e-12, 0);
        loss.backward();
        for (var k = 0; k < 3; k++)
            foreach (var (name, weight) in couplings[k].named_parameters())
                Close(weight.grad!, golden[$"grad/_transform._transforms.{k}.transform_net.net.{name["conditioner.net.".Length..]}"], 1e-11,
                    0);
    }

    // the parameter for which our softplus gives what theirs gives
    private static Tensor Ours(Tensor theirs)
    {
        var wanted = nn.functional.softplus(theirs);
        return wanted.add(wanted.mul(-steepness).expm1().neg().log().div(steepness));
    }

    // the last rows have extreme parameters, whose bins are a thousandth of the interval
    private static void Close(Tensor ours, Tensor theirs, double tolerance = 1e-11, int extreme = Extreme)
    {
        ours.shape.Should().Equal(theirs.shape);
        var error = ours.sub(theirs).abs().div(theirs.abs().clamp_min(1));
        if (extreme > 0)
        {
            error.narrow(0, error.shape[0] - extreme, extreme).max().item<double>().Should().BeLessThan(1e-6);
            error = error.narrow(0, 0, error.shape[0] - extreme);
        }
        error.max().item<double>().Should().BeLessThan(tolerance);
    }

    /// <summary>Their network, with parameters brought into our order: theirs has all
    /// parameters of a feature together, and divides sizes by √hidden.</summary>
    private sealed class TheirNetwork : nn.Module<Tensor, Tensor>
    {
        private readonly Sequential net;

        public TheirNetwork(GoldenFile golden, string name) : base(nameof(TheirNetwork))
        {
            var layers = new[] { 0, 2, 4 }.Select(i =>
            {
                var weight = golden[$"{name}{i}.weight"];
                var linear = nn.Linear(weight.shape[1], weight.shape[0], dtype: float64);
                using var _ = no_grad();
                linear.weight.copy_(weight);
                linear.bias!.copy_(golden[$"{name}{i}.bias"]);
                return linear;
            }).ToArray();
            net = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2]);
            RegisterComponents();
        }

        public override Tensor forward(Tensor input)
        {
            using var scope = NewDisposeScope();
            var all = net.forward(input).unflatten(1, [-1, (3 * Bins) - 1]).transpose(1, 2);
            var sizes = all.narrow(1, 0, 2 * Bins).div(4);
            return cat([sizes, Ours(all.narrow(1, 2 * Bins, Bins - 1))], 1).flatten(1).MoveToOuterDisposeScope();
        }
    }
}
