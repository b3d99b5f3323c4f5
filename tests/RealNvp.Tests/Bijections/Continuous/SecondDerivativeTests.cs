using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Kernels;
using RealNvp.Tests.Laws;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace RealNvp.Tests.Bijections.Continuous;

/// <summary>Gradients of the gradient of a continuous flow's log-density, as score matching and gradient penalties ask for them.</summary>
[LeavesNoTensors]
public class SecondDerivativeTests
{
    private static readonly Dictionary<string, Func<int, Dynamics>> networks = new()
    {
        ["concat-squash"] = context => new ConcatSquashMlp(3, 6, 2, context),
        ["concat-squash, one hidden layer"] = context => new ConcatSquashMlp(3, 6, 1, context, SmoothActivation.Softplus),
        ["plain"] = context => new TimeMlp([3], 6, 2, context, timeFrequencies: 2),
        ["plain, three hidden layers"] = context => new TimeMlp([3], 5, 3, context, SmoothActivation.Tanh),
    };

    public static TheoryData<string, int, OdeMethod, bool> Cases()
    {
        var data = new TheoryData<string, int, OdeMethod, bool>();
        foreach (var name in networks.Keys)
            foreach (var kernels in new[] { true, false })
            {
                data.Add(name, 0, OdeMethod.Dopri5, kernels);
                data.Add(name, 2, OdeMethod.Rk4, kernels);
            }
        return data;
    }

    [Theory, MemberData(nameof(Cases))]
    public void They_are_those_of_one_graph_and_of_finite_differences(string name, int context, OdeMethod method, bool kernels)
    {
        using var scope = NewDisposeScope();
        var options = new ContinuousOptions { Method = method, Steps = 4, Tolerance = 1e-7 };
        using var layer = new ContinuousLayer(networks[name](context), [3], options);
        RandomWeights.Draw(layer, 5, 0.4);
        layer.to(float64);
        using var twin = new ContinuousLayer(networks[name](context), [3], options with { Gradient = OdeGradient.Graph });
        twin.to(float64);
        twin.load_state_dict(layer.state_dict());
        using var generator = new Generator(6);
        // far apart, so that their numbers of steps differ
        var x = randn([5, 3], dtype: float64, generator: generator).mul(tensor(new[] { 0.1, 1, 2, 4, 8 }, dtype: float64).unsqueeze(1));
        var given = context == 0 ? null : randn([5, context], dtype: float64, generator: generator);

        var found = Gradients(layer, x, given, kernels);
        var expected = Gradients(twin, x, given, kernels: false);
        found.Length.Should().Be(expected.Length);
        for (var k = 0; k < found.Length; k++)
            KernelResults.ApartOfLargest(found[k], expected[k]).Should()
                .BeLessThan(method == OdeMethod.Rk4 ? 1e-10 : 1e-5, "of number {0}", k);

        // along a direction in all that has a gradient; steps that are chosen are not differentiated
        if (method != OdeMethod.Rk4) return;
        Tensor[] at = [x, .. given is null ? [] : new[] { given }, .. layer.parameters()];
        var directions = at.Select(t => randn(t.shape, dtype: float64, generator: generator)).ToArray();
        const double h = 1e-5;
        double Moved(double by)
        {
            using (no_grad()) foreach (var (t, d) in at.Zip(directions)) t.add_(d.mul(by));
            var value = Penalty(layer, x.detach().requires_grad_(true), given, kernels).item<double>();
            using (no_grad()) foreach (var (t, d) in at.Zip(directions)) t.sub_(d.mul(by));
            return value;
        }
        var slope = (Moved(h) - Moved(-h)) / (2 * h);
        found.Zip(directions).Sum(p => p.First.mul(p.Second).sum().item<double>()).Should().BeApproximately(slope, 1e-5 * Math.Abs(slope));
    }

    [Theory, InlineData(true), InlineData(false)]
    public void A_model_is_trained_on_its_score(bool kernels)
    {
        using var scope = NewDisposeScope();
        using var model = new FfjordModel(FfjordOptions.Toy2D with { Hidden = 8, HiddenLayers = 2, Tolerance = 1e-4 }, seed: 1);
        RandomWeights.Draw(model, 2, 0.2);
        using var optimizer = optim.Adam(model.parameters(), 1e-2);
        using var off = kernels ? null : KernelSwitch.AllOff();
        var x = randn(32, 2);
        var losses = Enumerable.Range(0, 12).Select(_ =>
        {
            using var inner = NewDisposeScope();
            optimizer.zero_grad();
            var point = x.detach().requires_grad_(true);
            var score = autograd.grad([model.TrainingLogProb(point).sum()], [point], retain_graph: true, create_graph: true)[0];
            var loss = score.square().mean();
            loss.backward();
            optimizer.step();
            return loss.item<float>();
        }).ToArray();
        losses.Should().OnlyContain(l => float.IsFinite(l));
        losses[^1].Should().BeLessThan(0.9f * losses[0]);
    }

    public static TheoryData<string> Refused => ["a module", "an estimate", "the adjoint", "the reversible scheme"];

    [Theory, MemberData(nameof(Refused))]
    public void What_gives_none_says_so_and_trains_nobody_on_wrong_ones(string what)
    {
        using var scope = NewDisposeScope();
        var options = new ContinuousOptions { Tolerance = 1e-3 };
        using var layer = what switch
        {
            "a module" => new ContinuousLayer(Dynamics.From(new Net()), [3], options),
            "an estimate" => new ContinuousLayer(networks["plain"](0), [3], options with { Divergence = DivergenceKind.Hutchinson }),
            "the adjoint" => new ContinuousLayer(networks["plain"](0), [3], options with { Gradient = OdeGradient.Adjoint }),
            _ => new ContinuousLayer(networks["plain"](0), [3], options with { Gradient = OdeGradient.Reversible }),
        };
        RandomWeights.Draw(layer, 5, 0.4);
        var x = randn(4, 3).requires_grad_(true);
        var first = autograd.grad([layer.Forward(x).LogDet.sum()], [x], retain_graph: true, create_graph: true)[0];
        first.isnan().all().item<bool>().Should().BeTrue("nobody may take them for gradients");
        ((Action)(() => layer.Forward(x))).Should().Throw<NotSupportedException>().WithMessage("*create_graph*OdeGradient.Graph*");
        layer.Forward(x).LogDet.isfinite().all().item<bool>().Should().BeTrue("the error is told once");
    }

    // of x, the context and the weights
    private static Tensor[] Gradients(ContinuousLayer layer, Tensor x, Tensor? context, bool kernels)
    {
        layer.zero_grad();
        var leaf = x.detach().requires_grad_(true);
        var given = context?.detach().requires_grad_(true);
        Penalty(layer, leaf, given, kernels).backward();
        return [leaf.grad!, .. given is null ? [] : new[] { given.grad! },
            .. layer.parameters().Select(p => p.grad?.clone() ?? zeros_like(p))];
    }

    // what score matching sums up: the squares of the gradient of the log-density
    private static Tensor Penalty(ContinuousLayer layer, Tensor x, Tensor? context, bool kernels)
    {
        using var off = kernels ? null : KernelSwitch.AllOff();
        // the state is that of a layer before it, which has the same weights as itself
        var (h, before) = layer.Forward(x.mul(0.5), context);
        var (z, logDet) = layer.Forward(h, context);
        var logProb = logDet.add(before).sub(z.square().sum(1).mul(0.5));
        return autograd.grad([logProb.sum()], [x], retain_graph: true, create_graph: true)[0].square().sum();
    }

    private sealed class Net : nn.Module<Tensor, Tensor, Tensor>
    {
        private readonly Linear layer = nn.Linear(3, 3);

        public Net() : base(nameof(Net)) => RegisterComponents();

        public override Tensor forward(Tensor t, Tensor x) => layer.call(x).tanh();
    }
}
