using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.PublicTests;

/// <summary>A user's bijection that calls other ones in its own code, and says no steps: what it has all the same.</summary>
public class HandWrittenTests
{
    public static TheoryData<bool> Ways => [false, true];

    [Theory, MemberData(nameof(Ways))]
    public void The_layer_at_fault_inside_of_it_is_named(bool passes)
    {
        using var scope = NewDisposeScope();
        const string name = "bijection.layers.1.right.layers.1 (Bursting)";
        using var flow = new Flow([4], new Chain(new SinhLayer(4),
            new Halving(new SinhLayer(2), new Chain(new DiagonalScaling([2]), new Bursting()), passes)));
        var score = () => flow.LogProb(randn(3, 4));
        score.Should().Throw<NonFiniteException>().Which.Layer.Should().Be(name);
        var sample = () => flow.Sample(3, seed: 1);
        sample.Should().Throw<NonFiniteException>().Which.Layer.Should().Be(name);
        foreach (var reversible in new[] { false, true })
        {
            using var trainer = new Trainer(flow, new TrainingOptions { ValidationFraction = 0, Reversible = reversible });
            var fit = () => trainer.Fit(TrainingData.From(randn(8, 4)));
            fit.Should().Throw<NonFiniteException>().WithMessage($"*{name}*");
        }
    }

    [Theory, MemberData(nameof(Ways))]
    public void Reversible_training_takes_it_as_one_layer_and_gives_the_gradients_of_ordinary_training(bool passes)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(3);
        var x = randn([7, 4], dtype: float64, generator: generator);
        var gradients = new List<Tensor[]>();
        foreach (var reversible in new[] { false, true })
        {
            using var flow = new Flow([4], new Chain(new Halving(Coupling(0), new Chain(new ActNorm([2]), Coupling(1)), passes),
                new SinhLayer(4)))
            {
                ReversibleTraining = reversible,
            };
            flow.to(float64);
            using var drawn = new Generator(5);
            using (no_grad())
                foreach (var parameter in flow.parameters())
                    parameter.copy_(randn(parameter.shape, dtype: parameter.dtype, generator: drawn) * 0.3);
            flow.train();
            using var loss = flow.NegativeLogLikelihood(x);
            loss.backward();
            gradients.Add([.. flow.parameters().Select(p => p.grad!.clone())]);
            if (reversible) flow.ReversibleDrift.Should().BePositive().And.BeLessThan(1e-12);
        }
        gradients[0].Should().HaveSameCount(gradients[1]).And.NotBeEmpty();
        for (var i = 0; i < gradients[0].Length; i++)
            (gradients[0][i] - gradients[1][i]).abs().max().item<double>().Should().BeLessThan(1e-10);
    }

    [Theory, MemberData(nameof(Ways))]
    public void A_seed_reaches_the_layers_inside_and_the_trainer_fits_them(bool passes)
    {
        using var scope = NewDisposeScope();
        using var noisy = new Flow([4], new Halving(new TriangleDequantization(8), new TriangleDequantization(8), passes));
        noisy.Bijection.Dequantizes.Should().BeTrue();
        var pixels = randint(8, [20, 4], dtype: float32);
        noisy.Encode(pixels, seed: 1).equal(noisy.Encode(pixels, seed: 1)).all().item<bool>().Should().BeTrue();
        noisy.Encode(pixels, seed: 1).equal(noisy.Encode(pixels, seed: 2)).all().item<bool>().Should().BeFalse();

        var x = (randn(400, 4) * 10) + 100;
        var (left, right) = (new Standardization([2]), new Standardization([2]));
        using var flow = new Flow([4], new Chain(new Halving(left, right, passes), new DiagonalScaling([4])));
        using (var trainer = new Trainer(flow, new TrainingOptions { Epochs = 1, ValidationFraction = 0 }))
            trainer.Fit(TrainingData.From(x));
        (left.IsFitted, right.IsFitted).Should().Be((true, true));
        using var z = flow.Encode(x);
        z.mean([0L]).abs().max().item<float>().Should().BeLessThan(0.1f);
    }

    [Fact]
    public void A_pass_that_is_over_is_refused()
    {
        using var scope = NewDisposeScope();
        using var keeper = new Keeper();
        using var flow = new Flow([4], keeper);
        using var z = flow.Encode(randn(3, 4), seed: 1);
        using var other = new SinhLayer(4);
        var later = () => other.Forward(randn(3, 4), keeper.Kept);
        later.Should().Throw<InvalidOperationException>().WithMessage("*SinhLayer was called with the pass of another call*");
    }

    private static CouplingLayer Coupling(int parity) => new([2], parity == 0 ? Mask.FirstHalf(2) : !Mask.FirstHalf(2),
        new SigmoidAffineTransformer(), size => nn.Sequential(nn.Linear(size.Inputs, 8), nn.Tanh(), nn.Linear(8, size.Outputs)));

    private sealed class Halving : Bijection
    {
        private readonly Bijection left, right;
        private readonly bool passes;

        public Halving(Bijection left, Bijection right, bool passes) : base(nameof(Halving), [4])
        {
            (this.left, this.right, this.passes) = (left, right, passes);
            RegisterComponents();
        }

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass)
        {
            var (first, second) = (x.narrow(1, 0, 2).contiguous(), x.narrow(1, 2, 2).contiguous());
            var (a, one) = passes ? left.Forward(first, pass) : left.Forward(first, pass.Context);
            var (b, two) = passes ? right.Forward(second, pass) : right.Forward(second, pass.Context);
            return (cat([a, b], 1), one + two);
        }

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass)
        {
            var (first, second) = (z.narrow(1, 0, 2).contiguous(), z.narrow(1, 2, 2).contiguous());
            var (a, one) = passes ? left.Inverse(first, pass) : left.Inverse(first, pass.Context);
            var (b, two) = passes ? right.Inverse(second, pass) : right.Inverse(second, pass.Context);
            return (cat([a, b], 1), one + two);
        }
    }

    private sealed class Bursting : Bijection
    {
        public Bursting() : base(nameof(Bursting)) => RegisterComponents();

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) => (x / 0 * 0, null);

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => (z / 0 * 0, null);
    }

    private sealed class Keeper : Bijection
    {
        public Keeper() : base(nameof(Keeper)) => RegisterComponents();

        public Pass Kept { get; private set; }

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass)
        {
            Kept = pass;
            return (x, null);
        }

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => (z, null);
    }
}
