using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Bijections.Continuous;

/// <summary>The derivatives of all dynamics against autograd's, row by row.</summary>
[LeavesNoTensors]
public class DynamicsTests
{
    private static readonly Dictionary<string, (Func<Dynamics> Make, long[] Shape)> all = new()
    {
        ["concat-squash, one hidden layer"] = (() => new ConcatSquashMlp(3, 8, 1), [3]),
        ["concat-squash, two hidden layers, context"] = (() => new ConcatSquashMlp(3, 8, 2, 2, SmoothActivation.Silu), [3]),
        ["concat-squash, three hidden layers"] = (() => new ConcatSquashMlp(4, 8, 3, activation: SmoothActivation.Softplus), [4]),
        ["concat-squash, one feature, elu"] = (() => new ConcatSquashMlp(1, 8, 2, activation: SmoothActivation.Elu), [1]),
        ["concat-squash, selu"] = (() => new ConcatSquashMlp(2, 8, 2, activation: SmoothActivation.Selu), [2]),
        ["plain, one hidden layer"] = (() => new TimeMlp([3], 8, 1), [3]),
        ["plain, two hidden layers, context, frequencies"] = (() => new TimeMlp([3], 8, 2, 2, timeFrequencies: 2), [3]),
        ["plain, three hidden layers, image"] = (() => new TimeMlp([1, 2, 2], 8, 3, activation: SmoothActivation.Tanh), [1, 2, 2]),
        ["plain, circles and the line"] = (() => new TimeMlp([3], 8, 2, circles: [new Circle(2), new Circle(0, 0, 1)]), [3]),
        ["plain, circles alone, one hidden layer, context"] = (() => new TimeMlp([2], 8, 1, 1, circles: [new Circle(0), new Circle(1)]),
            [2]),
        ["concat-squash convolutions, context"] = (() => new ConcatSquashConvNet(2, 4, 2, 2), [2, 3, 3]),
        ["concat-squash convolutions, one hidden layer"] = (() => new ConcatSquashConvNet(1, 3, 1, activation: SmoothActivation.Silu),
            [1, 2, 3]),
        ["a module of the user's"] = (() => Dynamics.From(new Swirl()), [3]),
        ["a module of the user's, context"] = (() => Dynamics.From(new SwirlWithContext(), 2), [3]),
        ["a module of the user's, images"] = (() => Dynamics.From(new Blur()), [2, 3, 3]),
    };

    public static TheoryData<string> Names => [.. all.Keys];

    [Theory, MemberData(nameof(Names))]
    public void Divergence_and_products_equal_those_of_the_Jacobian(string name)
    {
        using var scope = NewDisposeScope();
        using var seed = new Generator(3);
        var (dynamics, t, x, context) = Case(name, seed);
        using (dynamics)
        {
            var jacobian = Jacobian(dynamics, t, x, context);
            var truth = jacobian.diagonal(0, 1, 2).sum(1);
            var vectors = randn([2, .. x.shape], dtype: float64, generator: seed);
            var wanted = (dynamics.ProductsAreTransposed ? jacobian.transpose(1, 2)
                : jacobian).unsqueeze(0).matmul(vectors.flatten(2).unsqueeze(-1)).reshape(vectors.shape);
            foreach (var time in new[] { t, t.narrow(0, 1, 1).expand(x.shape[0]) })
                using (no_grad())
                {
                    var same = ReferenceEquals(time, t);
                    var (velocity, divergence) = dynamics.VelocityAndDivergence(time, x, context);
                    var (again, products) = dynamics.VelocityAndProducts(time, x, vectors, context);
                    new[] { velocity, divergence, again, products }.Should().OnlyContain(r => !r.requires_grad);
                    Close(velocity, dynamics.Velocity(time, x, context));
                    Close(again, velocity);
                    if (!same) continue;
                    Close(divergence, truth);
                    Close(products, wanted);
                }
            // an example moves as if it were alone, at a time that is given once for all too
            var (_, all) = dynamics.VelocityAndDivergence(t.narrow(0, 1, 1).expand(x.shape[0]), x, context);
            for (var i = 0; i < x.shape[0]; i++)
            {
                var (_, alone) = dynamics.VelocityAndDivergence(t.narrow(0, 1, 1), x.narrow(0, i, 1), context?.narrow(0, i, 1));
                Close(all.narrow(0, i, 1), alone);
            }
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void Divergence_has_gradients_to_weights_and_inputs(string name)
    {
        using var scope = NewDisposeScope();
        using var seed = new Generator(4);
        var (dynamics, t, x, context) = Case(name, seed);
        using (dynamics)
        {
            x.requires_grad_(true);
            double Loss()
            {
                using var inside = NewDisposeScope();
                var (v, d) = dynamics.VelocityAndDivergence(t, x, context);
                return v.square().sum().add(d.square().sum()).item<double>();
            }
            var (velocity, divergence) = dynamics.VelocityAndDivergence(t, x, context);
            velocity.square().sum().add(divergence.square().sum()).backward();
            foreach (var tensor in dynamics.parameters().Prepend(x))
            {
                tensor.grad.Should().NotBeNull();
                using var _ = no_grad();
                using var direction = randn(tensor.shape, dtype: float64, generator: seed);
                double At(double h)
                {
                    using var step = direction.mul(h);
                    tensor.add_(step);
                    var loss = Loss();
                    tensor.sub_(step);
                    return loss;
                }
                var numerical = (8 * (At(1e-4) - At(-1e-4)) - (At(2e-4) - At(-2e-4))) / 12e-4;
                tensor.grad!.mul(direction).sum().item<double>().Should().BeApproximately(numerical,
                    1e-6 * Math.Max(1, Math.Abs(numerical)));
            }
        }
    }

    [Theory, InlineData(SmoothActivation.Tanh), InlineData(SmoothActivation.Softplus), InlineData(SmoothActivation.Silu),
        InlineData(SmoothActivation.Elu), InlineData(SmoothActivation.Selu)]
    public void Activations_have_the_values_of_torch_and_the_slopes_of_autograd_at_all_numbers(SmoothActivation activation)
    {
        using var scope = NewDisposeScope();
        var h = tensor(new[] { -800.0, -30, -1.5, -1e-9, 0, 1e-9, 0.7, 30, 800 }).requires_grad_(true);
        var torchs = activation switch
        {
            SmoothActivation.Tanh => h.tanh(),
            SmoothActivation.Softplus => h.logaddexp(zeros_like(h)),
            SmoothActivation.Silu => nn.functional.silu(h),
            SmoothActivation.Elu => nn.functional.elu(h, 1),
            _ => nn.functional.selu(h),
        };
        torchs.sum().backward();
        var (value, slope) = SmoothActivations.WithSlope(activation, h);
        Close(value, torchs);
        Close(slope, h.grad!);
        Close(SmoothActivations.Value(activation, h), torchs);
        h.grad!.zero_();
        value.sum().backward();
        Close(slope, h.grad!);
    }

    [Fact]
    public void A_module_that_gives_another_shape_is_refused_with_what_was_expected()
    {
        using var wrong = Dynamics.From(new Sum());
        wrong.Invoking(d => d.Require([3], "the layer", "dynamics")).Should().Throw<ArgumentException>()
            .WithMessage("*gives (2,) of dtype Float32 for x of shape (2, 3)*in the shape and dtype of x*");
        using var other = new ConcatSquashMlp(2);
        other.Invoking(d => d.Require([3], "the layer", "dynamics")).Should().Throw<ArgumentException>()
            .WithMessage("*is for examples of shape (2,); the layer has (3,)*");
        using var x = zeros(4, 2);
        using var t = zeros(3);
        other.Invoking(d => d.Velocity(t, x)).Should().Throw<ArgumentException>().WithMessage("*expects t of shape (4)*got (3,)*");
    }

    [Fact]
    public void Dynamics_that_are_random_or_mix_examples_are_refused_when_a_layer_is_built()
    {
        foreach (var (make, word) in new (Func<nn.Module<Tensor, Tensor, Tensor>>, string)[]
        {
            (() => new Wrapped(nn.Dropout(0.5)), "*has a Dropout*no equation to solve*"),
            (() => new Wrapped(new SeededDropout(0.5)), "*has a SeededDropout*no equation to solve*"),
            (() => new Wrapped(nn.BatchNorm1d(3)), "*has a BatchNorm1d*influence each other*"),
            (() => new Own((t, x) => x.add(randn_like(x).mul(0.1))), "*two velocities for the same t and x*"),
            (() => new Own((t, x) => x.sub(x.mean([0L], keepdim: true))), "*another velocity alone than beside others*"),
        })
        {
            using var dynamics = Dynamics.From(make());
            dynamics.Invoking(d => new ContinuousLayer(d, [3])).Should().Throw<ArgumentException>().WithMessage(word);
        }
    }

    private sealed class Wrapped : nn.Module<Tensor, Tensor, Tensor>
    {
        private readonly nn.Module<Tensor, Tensor> inner;

        public Wrapped(nn.Module<Tensor, Tensor> inner) : base(nameof(Wrapped))
        {
            this.inner = inner;
            RegisterComponents();
        }

        public override Tensor forward(Tensor t, Tensor x) => inner.call(x);
    }

    private sealed class Own(Func<Tensor, Tensor, Tensor> f) : nn.Module<Tensor, Tensor, Tensor>(nameof(Own))
    {
        public override Tensor forward(Tensor t, Tensor x)
        {
            using var scope = NewDisposeScope();
            return scope.MoveToOuter(f(t, x));
        }
    }

    private static (Dynamics Dynamics, Tensor T, Tensor X, Tensor? Context) Case(string name, Generator seed)
    {
        var (make, shape) = all[name];
        var dynamics = make();
        dynamics.to(float64);
        using (no_grad())
            foreach (var parameter in dynamics.parameters())
                parameter.copy_(randn(parameter.shape, dtype: float64, generator: seed).mul(0.5));
        var x = randn([3, .. shape], dtype: float64, generator: seed);
        return (dynamics, rand(3, dtype: float64, generator: seed), x, dynamics.ContextSize > 0
            ? randn(3, dynamics.ContextSize, dtype: float64, generator: seed) : null);
    }

    // (N, D, D) by one backward pass for each row
    private static Tensor Jacobian(Dynamics dynamics, Tensor t, Tensor x, Tensor? context)
    {
        var size = x.numel() / x.shape[0];
        var rows = new List<Tensor>();
        for (var i = 0; i < size; i++)
        {
            var leaf = x.detach().clone().requires_grad_(true);
            dynamics.Velocity(t, leaf, context).flatten(1).select(1, i).sum().backward();
            rows.Add(leaf.grad!.flatten(1));
        }
        foreach (var parameter in dynamics.parameters()) parameter.grad = null;
        return stack(rows, 1);
    }

    private static void Close(Tensor a, Tensor b)
    {
        a.shape.Should().Equal(b.shape);
        a.sub(b).abs().max().item<double>().Should().BeLessThan(1e-12 * Math.Max(1, b.abs().max().item<double>()));
    }

    private sealed class Swirl : nn.Module<Tensor, Tensor, Tensor>
    {
        private readonly TorchSharp.Modules.Linear inner = nn.Linear(3, 6), outer = nn.Linear(6, 3);

        public Swirl() : base(nameof(Swirl)) => RegisterComponents();

        public override Tensor forward(Tensor t, Tensor x)
        {
            using var scope = NewDisposeScope();
            return scope.MoveToOuter(outer.call(inner.call(x).add(t.unsqueeze(1)).tanh()));
        }
    }

    private sealed class SwirlWithContext : nn.Module<Tensor, Tensor, Tensor, Tensor>
    {
        private readonly TorchSharp.Modules.Linear inner = nn.Linear(5, 6), outer = nn.Linear(6, 3);

        public SwirlWithContext() : base(nameof(SwirlWithContext)) => RegisterComponents();

        public override Tensor forward(Tensor t, Tensor x, Tensor context)
        {
            using var scope = NewDisposeScope();
            return scope.MoveToOuter(outer.call(inner.call(cat([x, context], 1)).add(t.unsqueeze(1)).tanh()));
        }
    }

    private sealed class Blur : nn.Module<Tensor, Tensor, Tensor>
    {
        private readonly TorchSharp.Modules.Conv2d convolution = nn.Conv2d(2, 2, 3, padding: 1);

        public Blur() : base(nameof(Blur)) => RegisterComponents();

        public override Tensor forward(Tensor t, Tensor x)
        {
            using var scope = NewDisposeScope();
            return scope.MoveToOuter(convolution.call(x).sin().mul(t.cos().reshape(-1, 1, 1, 1)));
        }
    }

    private sealed class Sum : nn.Module<Tensor, Tensor, Tensor>
    {
        public Sum() : base(nameof(Sum)) => RegisterComponents();

        public override Tensor forward(Tensor t, Tensor x) => x.sum(1);
    }
}
