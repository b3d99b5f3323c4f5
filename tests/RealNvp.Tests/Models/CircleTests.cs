using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Laws;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Models;

/// <summary>Flows on circles and on mixed spaces: their density has no jump
/// where a circle is cut, and what would make one is refused.</summary>
public class CircleTests
{
    private static readonly FeatureSet angles = [0, 3];

    public static TheoryData<string> Flows => [.. flows.Keys];

    private static readonly Dictionary<string, (Func<Flow> Make, FeatureSet Circles, double Low, double High)> flows = new()
    {
        ["composed by hand"] = (Composed, angles, -Math.PI, Math.PI),
        ["the option of a preset"] = (() => new SplineFlowModel(SplineFlowOptions.Tabular(6) with { CircularFeatures = angles, Layers = 4,
            Hidden = 16 }, seed: 1), angles, -Math.PI, Math.PI),
        ["degrees, and a base with heavy tails"] = (() => new SplineFlowModel(SplineFlowOptions.Tabular(6) with { CircularFeatures = angles,
            CircleLow = 0, CircleHigh = 360, Layers = 3, Hidden = 16, Base = BaseDensityKind.StudentT }, seed: 1), angles, 0, 360),
        ["a torus"] = (() => new SplineFlowModel(SplineFlowOptions.Torus(6) with { Layers = 4, Hidden = 16 }, seed: 1), FeatureSet.All(6),
            -Math.PI, Math.PI),
    };

    [Theory, MemberData(nameof(Flows))]
    public void The_density_is_the_same_on_both_sides_of_the_cut_and_samples_lie_on_the_circle(string name)
    {
        using var scope = NewDisposeScope();
        var (make, circles, low, high) = flows[name];
        using var flow = make();
        RandomWeights.Draw(flow, 2, 0.15);
        flow.eval();
        flow.to(float64);
        var x = randn(50, 6, dtype: float64);
        flow.LogProb(x).std().item<double>().Should().BeGreaterThan(0.1, "the weights are not those of a new flow");
        foreach (var circle in circles)
        {
            var epsilon = 1e-9 * (high - low);
            var (left, right, turned) = (x.clone(), x.clone(), x.clone());
            left.select(1, circle).fill_(high - epsilon);
            right.select(1, circle).fill_(low + epsilon);
            turned.select(1, circle).add_(high - low);
            flow.LogProb(left).sub(flow.LogProb(right)).abs().max().item<double>().Should().BeLessThan(1e-4, "feature {0} across the cut",
                circle);
            flow.LogProb(turned).sub(flow.LogProb(x)).abs().max().item<double>().Should().BeLessThan(1e-6, "feature {0} a turn on", circle);
        }
        var (samples, logProb) = flow.SampleAndLogProb(2000, seed: 1);
        foreach (var circle in circles)
        {
            samples.select(1, circle).min().item<double>().Should().BeGreaterThanOrEqualTo(low);
            samples.select(1, circle).max().item<double>().Should().BeLessThanOrEqualTo(high);
        }
        flow.LogProb(samples).sub(logProb).abs().max().item<double>().Should().BeLessThan(1e-6);
    }

    [Fact]
    public void The_density_of_a_circle_and_a_line_integrates_to_one()
    {
        using var scope = NewDisposeScope();
        using var flow = new SplineFlowModel(SplineFlowOptions.Torus(2) with { CircularFeatures = [1], Standardize = true, Layers = 3,
            Hidden = 8 }, seed: 3);
        RandomWeights.Draw(flow, 4, 0.3);
        flow.to(float64);
        const int side = 400;
        var (line, circle) = (linspace(-9, 9, side, dtype: float64),
            arange(side, dtype: float64).add(0.5).mul(2 * Math.PI / side).sub(Math.PI));
        var grid = stack([line.repeat_interleave(side), circle.repeat(side)], 1);
        (flow.LogProb(grid).exp().sum().item<double>() * (18.0 / (side - 1)) * (2 * Math.PI / side)).Should().BeApproximately(1, 2e-3);
    }

    [Fact]
    public void The_preset_is_trained_standardizes_the_other_features_alone_and_comes_back_from_a_file()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        using var generator = new Generator(3);
        var options = SplineFlowOptions.Tabular(4) with { CircularFeatures = [0, 2], Layers = 2, Hidden = 16, Blocks = 1 };
        using var flow = new SplineFlowModel(options, seed: 1);
        // angles about the cut, and numbers far from 0
        var x = randn([400, 4], generator: generator).mul(tensor(new[] { 0.3f, 5, 0.3f, 1 })).add(tensor(new[] { 3.1f, 700, 0, 0 }));
        using (var trainer = new Trainer(flow, new TrainingOptions { Epochs = 20, BatchSize = 100, LearningRate = 5e-3,
                ValidationFraction = 0 }))
            trainer.Fit(TrainingData.From(x));
        flow.Standardization!.InputShape.Should().Be(EventShape.Create(2));
        flow.eval();
        var here = flow.Evaluate(x).MeanLogProb;
        here.Should().BeGreaterThan(-Math.Log(2 * Math.PI) * 2 - 0.92 * 2 - 2.5 + 1, "it learned where the angles are");
        ModelOptions.FromJson<SplineFlowOptions>(options.ToJson()).Should().Be(options);
        flow.Save(folder.At("torus.safetensors"));
        using var again = SplineFlowModel.Load(folder.At("torus.safetensors"));
        again.Options.Should().Be(options);
        again.LogProb(x).equal(flow.LogProb(x)).all().item<bool>().Should().BeTrue();
    }

    [Fact]
    public void What_cuts_a_circle_or_is_not_on_it_is_refused_when_the_flow_is_built()
    {
        static SplineTransformer Circle() => new(4, Math.PI, SplineTails.Circular);
        static CouplingLayer Raw(Mask mask) => new([2], mask, Circle(), size => new Mlp(size.Inputs, size.Outputs, 8));
        static CouplingLayer Seeing(Mask mask) =>
            new([2], mask, Circle(), size => new CircularInput(size, [0, 1], inner => new Mlp(inner.Inputs, inner.Outputs, 8)));
        static UniformBox Box(double low = -Math.PI, double high = Math.PI) => new([2], low, high);
        var first = Mask.FirstHalf(2);

        using (new Flow([2], new Chain(new Wrap([2]), Seeing(first), new CircularShift([2]), Permutation.Reversal([2]),
            new InvertedLayer(Seeing(!first))), Box())) { }
        Refused(() => new Flow([2], Seeing(first)),
            "StandardNormal is not on a circle, but CouplingLayer takes feature 0 on [-3.14159, 3.14159] onto " +
            "itself*UniformBox*ProductDensity*");
        Refused(() => new Flow([2], Seeing(first), Box(0, 1)), "UniformBox is not on a circle*");
        Refused(() => new Flow([2], Seeing(first), new ProductDensity([2], ([0], new StandardNormal([1])),
            ([1], new UniformBox([1], -Math.PI, Math.PI)))), "ProductDensity is not on a circle*feature 0*");
        Refused(() => new Flow([2], new Chain(Raw(first), Raw(!first)), Box()),
            "CouplingLayer cuts a circle: feature *cos and sin (CircularInput)*SubsetLayer*CirclesThrough*");
        Refused(() => new Flow([2], new Chain(Seeing(first), new DiagonalScaling([2])), Box()),
            "DiagonalScaling cuts a circle: feature 0*CouplingLayer before it*");
        Refused(() => new Flow([2], new Chain(new Standardization([2]), Seeing(first)), Box()),
            "Standardization cuts a circle: feature 0*CouplingLayer after it*");
        Refused(() => new Flow([2], new Chain(Seeing(first), new Chain(new InvertedLayer(new InvertibleLinearLayer([2])))), Box()),
            "InvertibleLinearLayer cuts a circle*");
        Refused(() => new Flow([2], new Chain(new Wrap([2], [0], 0, 1), Seeing(first)), Box()), "Wrap cuts a circle*");
    }

    [Fact]
    public void Behind_a_rearrangement_the_part_that_cuts_a_circle_and_the_part_that_has_it_are_named()
    {
        static CouplingLayer Turning(Mask mask) => new([2], mask, new SplineTransformer(4, Math.PI, SplineTails.Circular),
            size => new CircularInput(size, [0, 1], inner => new Mlp(inner.Inputs, inner.Outputs, 8)));
        static Density Box() =>
            new ProductDensity([4], ([0, 1], new UniformBox([2], -Math.PI, Math.PI)), ([2, 3], new StandardNormal([2])));
        static SubsetLayer On(FeatureSet features, Bijection bijection) => new([4], features, bijection);
        static Chain Turns() => new(Turning(Mask.FirstHalf(2)), Turning(!Mask.FirstHalf(2)));

        using (new Flow([4], new Chain(On([0, 1], Turns()), On([2, 3], new DiagonalScaling([2]))), Box())) { }
        // the cut lies outside of the composite that has the circle, and inside of another one
        Refused(() => new Flow([4],
            new Chain(On([0, 1], Turns()), On([1, 2], new Chain(new CircularShift([2], [0]), new DiagonalScaling([2])))), Box()),
            "DiagonalScaling cuts a circle: feature 0*CircularShift before it*");
        Refused(() => new Flow([4],
            new Chain(On([0, 1], Turns()), On([1, 2], new Chain(Permutation.Reversal([2]), new DiagonalScaling([2])))), Box()),
            "DiagonalScaling cuts a circle: feature 1*CouplingLayer before it*");
        Refused(() => new Flow([4], new Chain(On([1, 2], new Chain(new DiagonalScaling([2]))), On([0, 1], Turns())), Box()),
            "DiagonalScaling cuts a circle: feature 1*CouplingLayer after it*");
        Refused(() => new Flow([4], new Chain(On([0, 1], Turns()), On([0, 2], new InvertedLayer(new Chain(new DiagonalScaling([2]))))),
            Box()),
            "DiagonalScaling cuts a circle: feature 0*CouplingLayer before it*");
        // and inside of the composite itself
        Refused(() => new Flow([4], On([0, 1], new Chain(new CircularShift([2]), new DiagonalScaling([2])))),
            "DiagonalScaling cuts a circle: feature 0*CircularShift before it*");
        Refused(() => new Flow([4], On([0, 3], On2(new Chain(Turning(Mask.FirstHalf(2)), new Chain(new DiagonalScaling([2])))))),
            "DiagonalScaling cuts a circle: *CouplingLayer before it*");
        // a density that is not on it names the part that has it
        Refused(() => new Flow([4], On([0, 3], Turns())), "StandardNormal is not on a circle, but CouplingLayer takes feature *");

        static SubsetLayer On2(Bijection bijection) => new([2], [0, 1], bijection);
    }

    [Fact]
    public void Parts_features_and_options_that_do_not_fit_are_named()
    {
        Refused(() => new ProductDensity([3], ([0, 1], new StandardNormal([2]))),
            "*Each of the features 0 to 2 belongs to one part; got [0, 1]*");
        Refused(() => new ProductDensity([2], ([0, 1], new StandardNormal([2])), ([1], new StandardNormal([1]))),
            "*belongs to one part; got [0, 1] and [1]*");
        Refused(() => new ProductDensity([2], ([0], new StandardNormal([2])), ([1], new StandardNormal([1]))),
            "*part [0] has 1 feature(s); its StandardNormal is for (2,)*");
        Refused(() => new SubsetLayer([3], [0, 3], new DiagonalScaling([2])),
            "SubsetLayer is for examples of 3 feature(s), 0 to 2; got feature 3*");
        Refused(() => new SubsetLayer([3], [0, 1], new DiagonalScaling([3])), "*gives its bijection 2 feature(s), (2,)*takes (3,)*");
        Refused(() => new CircularShift([3], [0, 1], shifts: [1]), "*needs 2 finite shift(s)*");
        Refused(() => new Wrap([3], low: 1, high: 1), "*finite edges with low < high*");
        Refused(() => FeatureSet.Create(1, 1), "*each once; got [1, 1]*");
        Refused(() => new CouplingLayer([4], Mask.Alternating(4), new MixedTransformer(new AdditiveTransformer()),
            size => new Mlp(size.Inputs, size.Outputs)), "*a map for each of 1 feature(s), but transforms (2,)*");
        Refused(() => new SplineFlowModel(SplineFlowOptions.Torus(3) with { CircularFeatures = [3] }),
            "*CircularFeatures must be features of (3,), 0 to 2; got [3]*");
        Refused(() => new SplineFlowModel(SplineFlowOptions.Torus(3) with { CircleHigh = -4 }), "*CircleHigh must be above CircleLow*");
    }

    public static TheoryData<BaseDensityKind> OtherBases => [.. Enum.GetValues<BaseDensityKind>().Except([BaseDensityKind.StandardNormal])];

    [Theory, MemberData(nameof(OtherBases))]
    public void A_torus_has_no_features_for_another_base_or_for_tails_and_says_so(BaseDensityKind kind)
    {
        var torus = SplineFlowOptions.Torus(3);
        FluentActions.Invoking((torus with { Base = kind }).Validate).Should().Throw<ArgumentException>()
            .WithMessage($"*Base*all of them are circles*{kind}*");
        FluentActions.Invoking((torus with { TailThreshold = 3 }).Validate).Should().Throw<ArgumentException>()
            .WithMessage("*TailThreshold*all of them are circles*");
        // with a feature that is no circle they have something to do
        FluentActions.Invoking((torus with { CircularFeatures = [0, 2], Base = BaseDensityKind.StudentT, TailThreshold = 3 }).Validate)
            .Should().NotThrow();
        // a file that said so was trained without, and loads
        FluentActions.Invoking(() => (torus with { Base = BaseDensityKind.StudentT, TailThreshold = 3 }).CheckRules(isNew: false))
            .Should().NotThrow();
    }

    [Fact]
    public void A_mixed_density_is_that_of_its_parts_and_minus_infinity_outside_of_one()
    {
        using var scope = NewDisposeScope();
        using var density = new ProductDensity([3], ([0, 2], new UniformBox([2], -1, 1)), ([1], new StandardNormal([1])));
        density.HasBoundedSupport.Should().BeTrue();
        density.CircularFeatures.Should().Equal(new Circle(0, -1, 1), new Circle(2, -1, 1));
        var z = tensor(new[,] { { 0.5, 2, -0.5 }, { 1.5, 0, 0 } });
        var logProb = density.LogProb(z);
        logProb[0].item<double>().Should().BeApproximately(-2 * Math.Log(2) - 2 - (0.5 * Math.Log(2 * Math.PI)), 1e-12);
        logProb[1].item<double>().Should().Be(double.NegativeInfinity);
        var samples = density.Sample(1000, 1, float64, CPU, null);
        samples.select(1, 0).abs().max().item<double>().Should().BeLessThanOrEqualTo(1);
        samples.select(1, 1).abs().max().item<double>().Should().BeGreaterThan(2);
        density.Sample(10, 0.5, float64, CPU, null).select(1, 2).abs().max().item<double>().Should().BeLessThanOrEqualTo(0.5,
            "a temperature reaches every part");
    }

    private static Flow Composed()
    {
        CouplingLayer Coupling(Mask mask)
        {
            var (circle, line) = (new SplineTransformer(8, Math.PI, SplineTails.Circular), new SplineTransformer(8, 5));
            return new([6], mask, MixedTransformer.Of(mask, f => angles.Contains(f) ? circle : line),
                size => new CircularInput(size, angles, inner => new ResidualMlp(inner.Inputs, inner.Outputs, 16)));
        }
        var numbers = angles.Complement(6);
        return new Flow([6],
            new Chain(new Wrap([6], angles), new SubsetLayer([6], numbers, new Standardization([4])), Coupling(Mask.FirstHalf(6)),
                new CircularShift([6], angles), Coupling(!Mask.FirstHalf(6)), new CircularShift([6], angles)),
            new ProductDensity([6], (angles, new UniformBox([2], -Math.PI, Math.PI)), (numbers, new StandardNormal([4]))));
    }

    private static void Refused(Func<object> build, string message) =>
        FluentActions.Invoking(build).Should().Throw<ArgumentException>().WithMessage(message);
}
