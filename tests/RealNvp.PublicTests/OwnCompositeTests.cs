using RealNvp.Checking;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.PublicTests;

/// <summary>A user's composite says its steps, and has what a Chain has.</summary>
public class OwnCompositeTests
{
    public static TheoryData<string> Names => ["branches", "pyramid", "nested", "turned round"];

    [Theory, MemberData(nameof(Names))]
    public void A_composite_of_ones_own_is_proved_like_any_other(string name) =>
        FlowCheck.Verify(() => Make(name, _ => { }), [4]).ThrowIfFailed();

    [Theory, MemberData(nameof(Names))]
    public void Reversible_training_takes_its_layers_one_by_one_and_gives_the_gradients_of_ordinary_training(string name)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(3);
        var x = randn([7, 4], dtype: float64, generator: generator);
        var gradients = new List<Tensor[]>();
        foreach (var reversible in new[] { false, true })
        {
            var networks = new List<CountedNetwork>();
            using var flow = new Flow([4], Make(name, networks.Add)) { ReversibleTraining = reversible };
            flow.to(float64);
            Draw(flow);
            flow.train();
            networks.ForEach(n => n.Calls = 0);
            using var loss = flow.NegativeLogLikelihood(x);
            loss.backward();
            networks.Should().NotBeEmpty();
            // a coupling that is walked through on its own asks its network
            // twice; one that is computed again with all around it, three times
            networks.Should().AllSatisfy(n => n.Calls.Should().Be(reversible ? 2 : 1));
            gradients.Add([.. flow.parameters().Select(p => p.grad!.clone())]);
            if (reversible) flow.ReversibleDrift.Should().BePositive().And.BeLessThan(1e-12);
        }
        for (var i = 0; i < gradients[0].Length; i++)
            (gradients[0][i] - gradients[1][i]).abs().max().item<double>().Should().BeLessThan(1e-10);
    }

    [Fact]
    public void The_layer_at_fault_in_it_is_named()
    {
        using var scope = NewDisposeScope();
        using var flow = new Flow([4], new Branches(new Chain(new SinhLayer(2)), new Chain(Permutation.Reversal([2]), new Blowing())));
        var act = () => flow.LogProb(randn(3, 4));
        act.Should().Throw<NonFiniteException>().Which.Layer.Should().Contain("right").And.Contain(nameof(Blowing));
    }

    [Fact]
    public void A_standardization_in_a_branch_is_fitted_to_what_arrives_there()
    {
        using var scope = NewDisposeScope();
        var x = randn(400, 4) * 10 + tensor(new float[] { 100, 200, 300, 400 });
        var (left, right) = (new Standardization([2]), new Centring(2));
        using var flow = new Flow([4], new Chain(new Branches(left, right), new DiagonalScaling([4])));
        using (var trainer = new Trainer(flow, new TrainingOptions { Epochs = 1, ValidationFraction = 0 }))
            trainer.Fit(TrainingData.From(x));
        left.IsFitted.Should().BeTrue();
        using var z = flow.Encode(x);
        z.narrow(1, 0, 2).mean([0L]).abs().max().item<float>().Should().BeLessThan(0.1f);
        right.Middle.sub(x.narrow(1, 2, 2).mean([0L])).abs().max().item<float>().Should().BeLessThan(0.5f);
    }

    [Fact]
    public void Integers_reach_a_dequantization_in_it_also_behind_what_only_moves_values()
    {
        using var scope = NewDisposeScope();
        using var flow = new Flow([4], new Nested(Permutation.Reversal([4]), new Branches(new TriangleDequantization(8),
            new TriangleDequantization(8)), new LogitTransform(0.05)));
        var x = randint(8, [20, 4], dtype: uint8);
        flow.Likelihood.Should().Be(Likelihood.LowerBound);
        flow.LogProb(x, seed: 1).isfinite().all().item<bool>().Should().BeTrue();
        flow.Decode(flow.Encode(x, seed: 1)).to(uint8).equal(x).all().item<bool>().Should().BeTrue();
        flow.LogProb(x, seed: 1).equal(flow.LogProb(x, seed: 1)).all().item<bool>().Should()
            .BeTrue("a seed reaches the layers of a composite");
    }

    [Fact]
    public void Layers_without_a_field_are_registered_and_steps_that_do_not_fit_are_refused()
    {
        using var loose = new Loose(new DiagonalScaling([3]), new SinhLayer(3));
        loose.state_dict().Keys.Should().Contain(k => k.StartsWith("steps_1."));
        loose.Steps.Should().HaveCount(2);
        using var one = new DiagonalScaling([3]);
        new Action(() => _ = new Loose(one, one)).Should().Throw<ArgumentException>().WithMessage("*twice*");
        new Action(() => _ = new Loose(new DiagonalScaling([3]), new SinhLayer(4))).Should().Throw<ArgumentException>()
            .WithMessage("*takes examples of shape (4,), but gets (3,)*");
        new Action(() => _ = new Unjoined()).Should().Throw<ArgumentException>().WithMessage("*leave 2 parts*");
        new Action(() => _ = new Branches(new SinhLayer(3), new SinhLayer(1))).Should().Throw<ArgumentException>();
    }

    [Fact]
    public void A_network_that_mixes_a_batch_says_so_for_the_layers_around_it()
    {
        using var nested = new Nested(new CouplingLayer([4], Mask.FirstHalf(4), new SigmoidAffineTransformer(),
            size => new MixingNetwork(size.Inputs, size.Outputs)));
        nested.MixesBatchInTraining.Should().BeTrue();
        using var apart = new Nested(Coupling(4, 0, _ => { }));
        apart.MixesBatchInTraining.Should().BeFalse();
    }

    private static Bijection Make(string name, Action<CountedNetwork> seen) => name switch
    {
        "branches" => new Branches(Coupling(2, 0, seen), Coupling(2, 1, seen)),
        "pyramid" => new Pyramid(Coupling(4, 0, seen), Coupling(2, 0, seen)),
        "nested" => new Nested(new DiagonalScaling([4]), new Branches(new Nested(Coupling(2, 0, seen), new ActNorm([2])),
            Coupling(2, 1, seen)), new Chain(Coupling(4, 1, seen), new DiagonalScaling([4]))),
        _ => new TurnedRound(new Pyramid(Coupling(4, 1, seen), Coupling(2, 1, seen)), Coupling(4, 0, seen)),
    };

    private static CouplingLayer Coupling(long features, int parity, Action<CountedNetwork> seen) =>
        new([features], parity == 0 ? Mask.FirstHalf(features) : !Mask.FirstHalf(features), new SigmoidAffineTransformer(), size =>
        {
            var network = new CountedNetwork(size.Inputs, size.Outputs);
            seen(network);
            return network;
        });

    private static void Draw(nn.Module module)
    {
        using var generator = new Generator(5);
        using var _ = no_grad();
        foreach (var parameter in module.parameters())
            parameter.copy_(randn(parameter.shape, dtype: parameter.dtype, generator: generator) * 0.3);
    }

    private sealed class CountedNetwork : nn.Module<Tensor, Tensor>
    {
        private readonly TorchSharp.Modules.Linear linear;

        public CountedNetwork(long inputs, long outputs) : base(nameof(CountedNetwork))
        {
            linear = nn.Linear(inputs, outputs);
            RegisterComponents();
        }

        public int Calls { get; set; }

        public override Tensor forward(Tensor input)
        {
            Calls++;
            return linear.call(input).tanh();
        }
    }

    private sealed class MixingNetwork : nn.Module<Tensor, Tensor>, IMixesBatch
    {
        private readonly TorchSharp.Modules.Linear linear;

        public MixingNetwork(long inputs, long outputs) : base(nameof(MixingNetwork))
        {
            linear = nn.Linear(inputs, outputs);
            RegisterComponents();
        }

        public override Tensor forward(Tensor input) => linear.call(training ? input - input.mean([0L], keepdim: true) : input);
    }

    /// <summary>Another layer for each half of the features.</summary>
    private sealed class Branches : Composite
    {
        private readonly Bijection left, right;

        public Branches(Bijection left, Bijection right) : base(nameof(Branches), [4])
        {
            (this.left, this.right) = (left, right);
            RegisterComponents();
        }

        public override IReadOnlyList<CompositeStep> Steps =>
            [CompositeStep.Split(1, [2, 2]), CompositeStep.Apply(left, 0), CompositeStep.Apply(right, 1), CompositeStep.Join(1, [2, 2])];
    }

    /// <summary>Half of the features leave after the first layer.</summary>
    private sealed class Pyramid : Composite
    {
        private readonly Bijection all, half;

        public Pyramid(Bijection all, Bijection half) : base(nameof(Pyramid), [4])
        {
            (this.all, this.half) = (all, half);
            RegisterComponents();
        }

        public override IReadOnlyList<CompositeStep> Steps =>
            [CompositeStep.Apply(all), CompositeStep.Split(1, [2, 2]), CompositeStep.Apply(half),
                CompositeStep.Rearrange(p => [cat([p[1], p[0]], 1)], p => [p[0].narrow(1, 2, 2), p[0].narrow(1, 0, 2)])];
    }

    private sealed class Nested : Composite
    {
        private readonly TorchSharp.Modules.ModuleList<Bijection> layers;

        public Nested(params Bijection[] all) : base(nameof(Nested))
        {
            layers = new(all);
            RegisterComponents();
        }

        public override IReadOnlyList<CompositeStep> Steps => [.. layers.Select(l => CompositeStep.Apply(l))];
    }

    private sealed class TurnedRound : Composite
    {
        private readonly Bijection first, second;

        public TurnedRound(Bijection first, Bijection second) : base(nameof(TurnedRound), [4])
        {
            (this.first, this.second) = (first, second);
            RegisterComponents();
        }

        public override IReadOnlyList<CompositeStep> Steps => [CompositeStep.Undo(first), CompositeStep.Undo(second)];
    }

    private sealed class Loose : Composite
    {
        private readonly IReadOnlyList<CompositeStep> steps;

        public Loose(params Bijection[] layers) : base(nameof(Loose), [3])
        {
            steps = [.. layers.Select(l => CompositeStep.Apply(l))];
            RegisterComponents();
        }

        public override IReadOnlyList<CompositeStep> Steps => steps;
    }

    private sealed class Unjoined : Composite
    {
        public Unjoined() : base(nameof(Unjoined), [4]) => RegisterComponents();

        public override IReadOnlyList<CompositeStep> Steps => [CompositeStep.Split(1, [2, 2])];
    }

    private sealed class Blowing : Bijection
    {
        public Blowing() : base(nameof(Blowing)) => RegisterComponents();

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) => (x / 0 * 0, null);

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => (z, null);
    }
}
