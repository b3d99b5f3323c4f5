using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Arguments;

/// <summary>What a message tells somebody to do.</summary>
[LeavesNoTensors]
public sealed class HintTests
{
    [Fact]
    public void Labels_in_the_place_of_a_context_are_told_of_encoders()
    {
        using var scope = NewDisposeScope();
        foreach (var size in new[] { 1, 3 })
        {
            using var flow = new Flow([2], new AffineCouplingLayer([2], Mask.FirstHalf(2),
                s => new Mlp(s.Inputs, s.Outputs, 8, 1, s.ContextSize), contextSize: size));
            using var density = new GaussianMixture([2], 2, size);
            var x = zeros(4, 2);
            foreach (var labels in new[] { zeros(4, int64), zeros(4), zeros([4, 1], int64), zeros([4, size], int32),
                zeros([4, size], ScalarType.Byte) })
            {
                Told(() => flow.LogProb(x, labels));
                Told(() => flow.NegativeLogLikelihood(x, labels));
                Told(() => flow.Evaluate(x, labels));
                Told(() => flow.Sample(2, labels));
                Told(() => flow.Decode(x, labels));
                Told(() => flow.Bijection.Forward(x, labels));
                Told(() => density.LogProb(x, labels));
                using var trainer = new Trainer(flow);
                Told(() => trainer.Fit(TrainingData.From(x, labels)));
            }
        }
        static void Told(Action act) => act.Should().Throw<ArgumentException>().WithMessage("*class labels*LabelEncoder*one_hot*");
    }

    [Fact]
    public void Shapes_that_no_example_has_are_refused_where_they_are_made()
    {
        foreach (var sizes in new long[][] { [1L << 40], [1L << 40, 1L << 40], [long.MaxValue, -1], [1 << 16, 1 << 16], [-1, 1L << 31] })
            FluentActions.Invoking(() => EventShape.Create(sizes)).Should().Throw<ArgumentException>()
                .WithMessage("*of one example, of at most 2147483647 elements; got (*");
        EventShape.Create(1 << 15, 1 << 15, -1).Count.Should().Be(3);
        foreach (var build in new Func<object>[] { () => Mask.Checkerboard(1L << 40, 2), () => Mask.Alternating(1L << 40),
            () => Mask.ChannelWise(1L << 40), () => new InvertibleLinearLayer([1 << 20]), () => new SylvesterLayer([1 << 30], 1 << 30),
            () => new GaussianMixture([1 << 30], int.MaxValue), () => new ClassConditionalNormal([1 << 30], int.MaxValue), () =>
                new PeriodicConv2d([1 << 20, 8, 8]), () => new LabelEncoder(int.MaxValue, int.MaxValue) })
            build.Should().Throw<ArgumentException>("a size is wrong, and there is no memory for it");
    }

    [Theory]
    [InlineData(0L), InlineData(-3L)]
    public void A_preset_names_the_features_that_it_cannot_have(long features)
    {
        foreach (var preset in new Func<long, ModelOptions>[] { d => RealNvpOptions.Tabular(d), d => NiceOptions.Tabular(d),
            d => SplineFlowOptions.Tabular(d), d => SplineFlowOptions.Torus(d), d => SplineFlowOptions.PowerOrGas(d),
            d => SplineFlowOptions.HepmassOrBsds300(d), d => MafOptions.Tabular(d), d => MafOptions.SplineTabular(d), d =>
                IafOptions.Tabular(d), d => IafOptions.SplineTabular(d) })
            FluentActions.Invoking(() => preset(features)).Should().Throw<ArgumentOutOfRangeException>()
                .WithMessage($"*number of features*at least 1*{features}*").And.ParamName.Should().Be("features");
    }

    [Theory]
    [InlineData(1, "row 3 lies outside"), InlineData(2, "rows 3, 4 lie outside")]
    public void One_row_lies_and_more_lie(int count, string words)
    {
        using var scope = NewDisposeScope();
        using var flow = new Flow([2], new LogitTransform(0.05));
        var x = full([8, 2], 0.5);
        x.narrow(0, 3, count).fill_(7);
        FluentActions.Invoking(() => flow.Encode(x)).Should().Throw<ArgumentException>().WithMessage($"*{words}*");
        using var trainer = new Trainer(new Flow([2], new Chain(new LogitTransform(0.05), new DiagonalScaling([2]))));
        using var trained = trainer.Flow;
        FluentActions.Invoking(() => trainer.Fit(TrainingData.From(x))).Should().Throw<ArgumentException>().WithMessage($"*{words}*");
    }
}
