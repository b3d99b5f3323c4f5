using RealNvp.Internal;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training;

/// <summary>A flow whose inverse is wrong, or loses the digits, is noticed while it trains.</summary>
[LeavesNoTensors]
public sealed class RoundTripTests
{
    private static readonly TrainingOptions options = new() { Epochs = 3, BatchSize = 64, ValidationFraction = 0 };

    [Theory, MemberData(nameof(PresetTable.Names), MemberType = typeof(PresetTable))]
    public void Every_preset_comes_back_in_float32(string name)
    {
        using var scope = NewDisposeScope();
        using var model = PresetTable.Create(name);
        model.to(float32);
        var preset = PresetTable.All[name];
        var trip = RoundTrip.Measure(model, PresetTable.Examples(preset, 8).to(float32), PresetTable.Context(preset, 8)?.to(float32), 1);
        trip.Warning.Should().BeNull();
        trip.Error.Should().BeLessThan(1e-3);
    }

    [Theory, InlineData(false), InlineData(true)]
    public void A_layer_of_the_users_with_a_wrong_inverse_is_named_once_in_a_training(bool averaged)
    {
        using var scope = NewDisposeScope();
        using var flow = Around(new Wrong());
        using var trainer = new Trainer(flow, options with { AverageDecay = averaged ? 0.9 : null });
        var counts = new List<int>();
        var result = trainer.Fit(TrainingData.From(randn(128, 2)), progress: new Watch(p => counts.Add(p.Warnings.Count)));
        result.Warnings.Should().ContainSingle().Which.Should().Match("*not invertible*bijection.*(Wrong) loses the digits*FlowCheck*");
        counts.Should().Equal([0, 0, 1, 1, 1, 1], "it is heard from the second epoch on");

        var x = randn(100, 2);
        var asked = flow.Evaluate(x, tryInverse: true);
        asked.RoundTripError.Should().BeGreaterThan(0.1);
        asked.Warnings.Should().ContainSingle().Which.Should().Contain("(Wrong)");
        flow.Evaluate(x).Should().Match<Evaluation>(e => e.RoundTripError == null && e.Warnings.Count == 0
            && e.MeanLogProb == asked.MeanLogProb);
    }

    [Fact]
    public void A_layer_that_the_users_own_composite_hides_is_named_too()
    {
        using var scope = NewDisposeScope();
        using var flow = Around(new Nested(new Wrong()));
        flow.Evaluate(randn(40, 2), tryInverse: true).Warnings.Should().ContainSingle().Which.Should().Contain("(Wrong) loses the digits");
    }

    [Fact]
    public void A_spline_whose_bound_is_far_beyond_the_data_loses_the_digits()
    {
        using var scope = NewDisposeScope();
        using var flow = Around(Spline(Mask.FirstHalf(2)), Spline(!Mask.FirstHalf(2)), Spline(Mask.FirstHalf(2)),
            Spline(!Mask.FirstHalf(2)));
        using var trainer = new Trainer(flow, options with { Epochs = 30, LearningRate = 1e-2, ValidationFraction = null });
        var result = trainer.Fit(TrainingData.From(randn(512, 2)));
        result.Warnings.Should().ContainSingle().Which.Should().Match("*not invertible*CouplingLayer*");

        static CouplingLayer Spline(Mask mask) => new([2], mask, new SplineTransformer(8, 1e4), s => new Mlp(s.Inputs, s.Outputs, 32));
    }

    [Fact]
    public void A_flow_without_an_inverse_trains_and_says_that_it_cannot_sample()
    {
        using var scope = NewDisposeScope();
        using var flow = Around(new OneWay());
        using var trainer = new Trainer(flow, options);
        var result = trainer.Fit(TrainingData.From(randn(128, 2)));
        result.Reason.Should().Be(StopReason.Finished);
        result.Warnings.Should().ContainSingle().Which.Should().Contain("no way back");
        flow.Evaluate(randn(9, 2), tryInverse: true).RoundTripError.Should().Be(double.PositiveInfinity);
    }

    [Fact]
    public void An_inverse_that_goes_from_feature_to_feature_is_tried_at_the_end_alone()
    {
        using var scope = NewDisposeScope();
        foreach (var (fast, epochs) in new[] { (true, 3), (false, 1) })
        {
            var counting = new Counting(fast);
            using var flow = Around(counting);
            flow.Bijection.HasFastInverse.Should().Be(fast);
            using var trainer = new Trainer(flow, options);
            trainer.Fit(TrainingData.From(randn(128, 2))).Warnings.Should().BeEmpty();
            counting.Inverses.Should().Be(epochs);
        }
    }

    [Fact]
    public void Which_direction_is_fast_follows_from_the_parts()
    {
        using var scope = NewDisposeScope();
        Bijection Autoregressive() => new AutoregressiveLayer(new AffineTransformer([1]), new Made(3, 2, new MadeOptions { Hidden = 8 }));
        (bool, bool) Fast(Bijection b)
        {
            using (b) return (b.HasFastForward, b.HasFastInverse);
        }
        Fast(new ActNorm([3])).Should().Be((true, true));
        Fast(Autoregressive()).Should().Be((true, false));
        Fast(new InvertedLayer(Autoregressive())).Should().Be((false, true));
        Fast(new Chain(new ActNorm([3]), new InvertedLayer(Autoregressive()))).Should().Be((false, true));
        Fast(new InvertedLayer(new Chain(Autoregressive(), new InvertedLayer(Autoregressive())))).Should().Be((false, false));
        Fast(new ContinuousLayer(new TimeMlp([3], 8), [3])).Should().Be((false, false), "a solve takes many calls");
        Fast(new ResidualLayer([3], new LipschitzMlp(3, 3, 8))).Should().Be((true, false), "its inverse is a search");
        Fast(new Nested(Autoregressive(), 3)).Should().Be((true, false), "a composite of the user's needs say nothing");
    }

    private static Flow Around(params Bijection[] layers)
    {
        manual_seed(2);
        return new Flow([2], new Chain([new ActNorm([2]), .. layers]));
    }

    private sealed class Watch(Action<TrainingProgress> then) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => then(value);
    }

    /// <summary>x·exp(s), whose inverse forgets the sign of the exponent.</summary>
    private sealed class Wrong : Bijection
    {
        private readonly TorchSharp.Modules.Parameter s = Weights.Parameter(ones(2));

        public Wrong() : base(nameof(Wrong), [2]) => RegisterComponents();

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) => (x.mul(s.exp()), s.sum().expand(x.shape[0]));

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) =>
            (z.mul(s.exp()), s.sum().neg().expand(z.shape[0]));
    }

    private sealed class Nested : Bijection
    {
        private readonly Bijection inner;

        public Nested(Bijection inner, long features = 2) : base(nameof(Nested), [features])
        {
            this.inner = inner;
            RegisterComponents();
        }

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) => inner.Forward(x, pass.Context);

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => inner.Inverse(z, pass.Context);
    }

    private sealed class OneWay() : Bijection(nameof(OneWay), [2])
    {
        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) => (x.mul(2), full(x.shape[0], 2 * Math.Log(2)));

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) =>
            throw new NotSupportedException("There is no way back.".ToLowerInvariant());
    }

    private sealed class Counting(bool fast) : Bijection(nameof(Counting), [2])
    {
        public int Inverses { get; private set; }

        public override bool HasFastInverse => fast;

        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) => (x.alias(), null);

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass)
        {
            Inverses++;
            return (z.alias(), null);
        }
    }
}
