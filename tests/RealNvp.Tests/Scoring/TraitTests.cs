using RealNvp.Operations;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Scoring;

/// <summary>What a layer can do it says itself, and a user's layer says it as ours do.</summary>
public class TraitTests
{
    public static TheoryData<string> Layers => LayerTable.Names;

    [Fact]
    public void Integers_are_taken_by_who_says_so_behind_whatever_only_moves_values()
    {
        using var scope = NewDisposeScope();
        EventShape image = [1, 4, 4];
        var x = randint(8, [3, 1, 4, 4], dtype: uint8);
        var flows = new Dictionary<string, Func<Bijection>>
        {
            ["a user's own"] = () => new OwnDequantization(8),
            ["ours"] = () => new UniformDequantization(8),
            ["behind a permutation"] = () => new Chain(new Permutation(image, [0]), new UniformDequantization(8)),
            ["behind a squeeze and a flip"] = () => new Chain(new RandomHorizontalFlip(), new Squeeze(image), new OwnDequantization(8)),
            ["behind the inverse of a squeeze"] = () =>
                new Chain(new Squeeze(image), new InvertedLayer(new Squeeze(image)), new UniformDequantization(8)),
            ["a chain in a chain"] = () => new Chain(new Chain(new RandomHorizontalFlip()), new Chain(new OwnDequantization(8))),
            ["the first scale"] = () =>
                new MultiScaleLayer(image, new Chain(new UniformDequantization(8), new Squeeze(image)), new DiagonalScaling([2, 2, 2])),
            ["a composite of a user's"] = () => new Composite(new OwnDequantization(8)),
        };
        foreach (var (name, make) in flows)
        {
            using var flow = new Flow(image, make());
            flow.Bijection.AcceptsIntegers.Should().BeTrue(name);
            flow.Bijection.Dequantizes.Should().BeTrue(name);
            var integers = flow.LogProb(x, seed: 1);
            integers.Equals(flow.LogProb(x.to(float32), seed: 1)).Should().BeTrue(name);
            flow.Decode(flow.Encode(x, seed: 1)).to(uint8).Equals(x).Should().BeTrue(name);
            flow.eval();
            flow.NegativeLogLikelihood(x, seed: 1).item<float>().Should().BeApproximately(-integers.mean().item<float>(), 1e-4f);
            flow.Evaluate(x).Count.Should().Be(3);
            FluentActions.Invoking(() => flow.LogProb(x.add(1))).Should().Throw<ArgumentException>(name)
                .WithMessage("Flow.LogProb expects*0 ... 7*");
            FluentActions.Invoking(() => flow.LogProb(x.to(float32).div(8))).Should().Throw<ArgumentException>(name)
                .WithMessage("Flow.LogProb expects*");
            FluentActions.Invoking(() => flow.LogProb(x.to(@bool))).Should().Throw<ArgumentException>().WithMessage("*got Bool*");
        }
        foreach (var make in new Func<Bijection>[] { () => new DiagonalScaling(image), () => new Chain(new DiagonalScaling(image),
            new UniformDequantization(8)), () => new InvertedLayer(new UniformDequantization(8)), () => new Noisy() })
        {
            using var flow = new Flow(image, make());
            flow.Bijection.AcceptsIntegers.Should().BeFalse();
            FluentActions.Invoking(() => flow.LogProb(x)).Should().Throw<ArgumentException>()
                .WithMessage("Flow.LogProb expects x with a floating-point dtype; got *");
        }
    }

    [Fact]
    public void A_layer_that_is_random_but_dequantizes_nothing_is_called_so()
    {
        using var scope = NewDisposeScope();
        using var flow = new Flow([1, 4, 4], new Chain(new DiagonalScaling([1, 4, 4]), new Noisy()));
        foreach (var call in new Action[] { () => flow.RSampleAndLogProb(1), () => new FlowDistribution(flow).rsample(1),
            () => VariationalInference.ReverseKl(flow, x => x.sum(), 2), () => ImportanceSampling.Estimate(flow, x => x.sum(), 2) })
            call.Should().Throw<Exception>()
                .WithMessage("*the layer layers.1 (Noisy) of this flow draws random numbers (IsStochastic)*").Which.Message.Should()
                .NotContain("dequantizes");
        flow.Sample(2).shape.Should().Equal(2, 1, 4, 4);
    }

    [Theory, MemberData(nameof(Layers))]
    public void Who_says_that_it_moves_values_does_nothing_else(string name)
    {
        using var scope = NewDisposeScope();
        var row = LayerTable.All.Single(c => c.Name == name);
        using var layer = row.Make();
        if (!layer.MovesValues) return;
        layer.eval();
        var x = randn(row.Shape.WithBatch(3));
        foreach (var inverse in new[] { false, true })
        {
            var input = inverse ? randn(layer.OutputShapeOf(row.Shape).WithBatch(3)) : x;
            var (value, logDet) = inverse ? layer.Inverse(input) : layer.Forward(input);
            value.flatten(1).sort(1).Values.Equals(input.flatten(1).sort(1).Values).Should().BeTrue();
            logDet.abs().max().item<float>().Should().Be(0);
        }
    }

    [Fact]
    public void The_layers_that_move_values_are_these() =>
        LayerTable.All.Where(c => { using var layer = c.Make(); return layer.MovesValues; })
            .Select(c => { using var layer = c.Make(); return layer.GetType(); }).Distinct()
            .Should().Contain([typeof(Permutation), typeof(Squeeze), typeof(RandomHorizontalFlip)]);

    [Fact]
    public void A_layer_of_a_users_says_that_reversible_training_keeps_its_input()
    {
        using var scope = NewDisposeScope();
        var layer = new OneWay();
        using var flow = new Flow([4], new Chain(new DiagonalScaling([4]), layer, new DiagonalScaling([4]))).to(float64);
        var x = randn(5, 4, float64);
        var gradients = new List<byte[]>();
        foreach (var reversible in new[] { false, true })
        {
            flow.ReversibleTraining = reversible;
            foreach (var p in flow.parameters()) p.grad = null;
            flow.NegativeLogLikelihood(x).backward();
            RealNvp.Operations.KernelFault.Throw();
            gradients.Add([.. flow.parameters().SelectMany(p => p.grad!.bytes.ToArray())]);
        }
        layer.Inversions.Should().Be(0, "its input was kept");
        flow.parameters().Should().OnlyContain(p => p.grad!.isfinite().all().item<bool>());
    }

    private sealed class OwnDequantization : Bijection
    {
        private readonly int levels;

        public OwnDequantization(int levels) : base(nameof(OwnDequantization))
        {
            this.levels = levels;
            RegisterComponents();
        }

        public override bool IsStochastic => true;

        public override Likelihood Likelihood => Likelihood.LowerBound;

        public override bool Dequantizes => true;

        protected internal override void CheckData(Tensor x, string owner)
        {
            using var scope = NewDisposeScope();
            var values = x.to(float64);
            if (values.min().item<double>() < 0 || values.max().item<double>() >= levels || values.ne(values.floor()).any().item<bool>())
                throw new ArgumentException($"{owner} expects 0 ... {levels - 1}.", nameof(x));
        }

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass)
        {
            var noise = Noise.Uniform(x.shape, x.dtype, x.device, pass.Generator, 0.01, 0.99);
            return (x.add(noise).div(levels), full(x.shape[0], -x.numel() / x.shape[0] * Math.Log(levels), dtype: x.dtype));
        }

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) =>
            (z.mul(levels).floor(), full(z.shape[0], z.numel() / z.shape[0] * Math.Log(levels), dtype: z.dtype));
    }

    private sealed class Composite : Bijection
    {
        private readonly Bijection inner;

        public Composite(Bijection inner) : base(nameof(Composite))
        {
            this.inner = inner;
            RegisterComponents();
        }

        protected internal override void CheckData(Tensor x, string owner)
        {
            if (x.max().to(float64).item<double>() > 7 || x.to(float64).frac().any().item<bool>())
                throw new ArgumentException($"{owner} expects 0 ... 7.", nameof(x));
        }

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) => inner.Forward(x, pass.Context);

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => inner.Inverse(z, pass.Context);
    }

    private sealed class Noisy : Bijection
    {
        public Noisy() : base(nameof(Noisy)) => RegisterComponents();

        public override bool IsStochastic => true;

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) =>
            (x.add(Noise.Normal(x.shape, x.dtype, x.device, pass.Generator)), null);

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => (z.alias(), null);
    }

    private sealed class OneWay : Bijection
    {
        public OneWay() : base(nameof(OneWay)) => RegisterComponents();

        public int Inversions { get; private set; }

        protected internal override bool KeepsInput(bool inverse) => true;

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) =>
            (x.mul(2), full(x.shape[0], 4 * Math.Log(2), dtype: x.dtype));

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass)
        {
            Inversions++;
            return (z.div(2), full(z.shape[0], -4 * Math.Log(2), dtype: z.dtype));
        }
    }
}
