using RealNvp.Tests.Inference;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Calibrating;

[LeavesNoTensors]
public class PredictionTests
{
    private static readonly Dictionary<string, Func<ConditionalDensity, Tensor, Tensor, long, DiagnosticResult>> all = new()
    {
        ["Pit"] = (d, t, x, seed) => Diagnostics.Pit(d, t, x, draws: 39, seed: seed),
        ["Crps"] = (d, t, x, seed) => Diagnostics.Crps(d, t, x, feature: 1, draws: 39, seed: seed),
    };

    public static TheoryData<string> Kinds => [.. all.Keys, "LatentPit"];

    [Theory, MemberData(nameof(Kinds))]
    public void A_right_density_is_rejected_as_rarely_as_was_asked_for(string kind) => Rejections(kind, 120).Should().BeInRange(0, 15);

    [SlowTheory, MemberData(nameof(Kinds))]
    public void Of_4000_right_densities_five_percent_are_rejected(string kind) =>
        (Rejections(kind, 4000) / 4000.0).Should().BeInRange(0.035, 0.065);

    private static int Rejections(string kind, int repeats)
    {
        var rejected = 0;
        var density = new Linear().Density();
        using var flow = new Flow([3], new DiagonalScaling([3]));
        for (var repeat = 0; repeat < repeats; repeat++)
        {
            using var scope = NewDisposeScope();
            using var generator = new Generator((ulong)(70_000 + repeat));
            var (theta, x) = Linear.Pairs(60, 10_000 + repeat);
            var result = kind == "LatentPit" ? Diagnostics.LatentPit(flow, randn([60, 3], generator: generator))
                : all[kind](density, theta, x, repeat);
            if (result.IsRejected) rejected++;
        }
        return rejected;
    }

    [Fact]
    public void The_CRPS_of_a_normal_is_that_of_the_formula()
    {
        using var scope = NewDisposeScope();
        using var flow = Flows.Normal(2);
        double[] y = [0.3, -1, 4];
        // σ (u (2Φ(u) − 1) + 2φ(u) − 1/√π) for u = y/σ (Gneiting and Raftery 2007); Φ by its table
        double[] below = [0.559618, 0.308538, 0.977250];
        var expected = y.Select((v, i) => 2 * ((v / 2 * ((2 * below[i]) - 1)) + (2 * Math.Exp(-v * v / 8) / Math.Sqrt(2 * Math.PI))
            - (1 / Math.Sqrt(Math.PI)))).Average();
        var result = Diagnostics.Crps(flow, y, draws: 20_000);
        result.Mean.Should().BeApproximately(expected, 0.02);
        result.Expected.Should().BeApproximately(2 / Math.Sqrt(Math.PI), 0.02);
        // ½ of the mean of |0.3 + 1|, |0.3 − 4| and |−1 − 4|
        result.WithoutContext.Should().BeApproximately((1.3 + 3.7 + 5) / 6, 1e-12);
        result.Count.Should().Be(3);
    }

    [Fact]
    public void The_CRPS_says_how_good_predictions_are_and_whether_they_are_as_good_as_they_say()
    {
        using var scope = NewDisposeScope();
        var (theta, x) = Linear.Pairs(500, 1);
        var right = Diagnostics.Crps(new Linear().Density(), theta, x, feature: 0, name: "dose");
        right.IsRejected.Should().BeFalse();
        right.Mean.Should().BeApproximately(1 / Math.Sqrt(Math.PI), 4 * right.StandardError);
        right.Skill.Should().BeApproximately(1 - (1 / Math.Sqrt(2)), 0.06);
        right.Words.Should().Contain("CRPS of dose").And.Contain("better than without the context").And.Contain("Nothing speaks");
        right.GroupExpected.Should().HaveCount(10).And.BeInAscendingOrder();
        Diagnostics.Crps(new Linear { Scale = 0.7 }.Density(), theta, x, 0).Words.Should().EndWith("too narrow or shifted.");
        Diagnostics.Crps(new Linear { Scale = 1.5 }.Density(), theta, x, 0).Words.Should().EndWith("too wide.");
        Diagnostics.Crps(new Linear().Density(), theta, x, 0).Should().Be(Diagnostics.Crps(new Linear().Density(), theta, x, 0));
        FluentActions.Invoking(() => Diagnostics.Crps(new Linear().Density(), theta, x)).Should().Throw<ArgumentException>()
            .WithMessage("*of one number, and a row has 2*feature: 0*");
        FluentActions.Invoking(() => Diagnostics.Crps(new Linear().Density(), theta, x, 2)).Should().Throw<ArgumentException>()
            .WithMessage("*0 to 1*");
        FluentActions.Invoking(() => Diagnostics.Crps(new Linear().Density(), theta, x, 0, draws: 1)).Should().Throw<ArgumentException>()
            .WithMessage("*at least 2 draws*");
    }

    [Theory, InlineData(false), InlineData(true)]
    public void The_PIT_of_a_flow_of_one_number_is_its_distribution_function_whichever_way_it_goes(bool falls)
    {
        using var scope = NewDisposeScope();
        using var flow = Flows.Normal(2);
        // −x of a normal with a deviation of 2 is normal too
        using var mirrored = new Flow([1], new Chain([new Mirror(), Flows.Normal(2).Bijection]));
        using var generator = new Generator(1);
        var x = randn([400, 1], float64, generator: generator).mul(2).add(0.3);
        var exact = Diagnostics.Pit(falls ? mirrored : flow, x);
        exact.Tests.Single().Draws.Should().Be(0);
        exact.Tests[0].Mean.Should().BeApproximately(special.erfc(x.div(-2 * Math.Sqrt(2))).mean().item<double>() / 2, 1e-7);
        var drawn = Diagnostics.Pit(new ConditionalDensity((c, n, seed) => flow.Sample(c.shape[0] * n, seed: seed)
            .reshape(c.shape[0], n, 1)), x, zeros(400, 1), draws: 999);
        drawn.Tests[0].Draws.Should().Be(999);
        drawn.Tests[0].Mean.Should().BeApproximately(exact.Tests[0].Mean, 0.005);
        drawn.PValue.Should().BeApproximately(exact.PValue, 0.15);
    }

    [Fact]
    public void Latents_of_an_autoregressive_flow_are_conditional_PITs_and_find_a_wrong_density()
    {
        using var scope = NewDisposeScope();
        using var flow = Flows.Random(3, context: 2);
        using var generator = new Generator(1);
        var context = randn([500, 2], float64, generator: generator);
        var x = flow.Sample(1, context, seed: 1).squeeze(1);
        var right = Diagnostics.LatentPit(flow, x, context, names: ["first", "second"]);
        right.IsRejected.Should().BeFalse();
        right.Kind.Should().Be(CalibrationKind.Pit);
        right.Tests.Select(t => t.Name).Should().Equal("first", "second");
        double[][] Rows(Tensor t) => [.. t.data<double>().ToArray().Chunk(2)];
        Diagnostics.LatentPit(flow, Rows(x.contiguous()), Rows(context), names: ["first", "second"]).Words.Should().Be(right.Words);
        Diagnostics.LatentPit(flow, flow.Sample(1, context, temperature: 0.7, seed: 1).squeeze(1), context).Words.Should()
            .Contain("too wide");
        using var mixture = new Flow([2], new DiagonalScaling([2]), new GaussianMixture([2], 3));
        FluentActions.Invoking(() => Diagnostics.LatentPit(mixture, x.to(float32))).Should().Throw<ArgumentException>()
            .WithMessage("*IElementCdf*GaussianMixture*");
    }

    [Fact]
    public void Distribution_functions_of_densities_are_the_integrals_of_their_densities()
    {
        using var scope = NewDisposeScope();
        var normal = new DiagonalNormal([2]);
        using (no_grad())
            foreach (var weight in normal.parameters()) weight.copy_(tensor(new[] { 0.3f, -0.2f }));
        foreach (var density in new Density[] { new StandardNormal([2]), new StandardLogistic([2]), new UniformBox([2], -1, 2), normal,
            new StudentT([2], 2.5) })
        {
            density.to(ScalarType.Float64);
            var z = linspace(-0.9, 1.9, 29, dtype: float64);
            var cdf = ((IElementCdf)density).Cdf(stack([z, z], 1), null);
            cdf.diff(dim: 0).ge(0).all().item<bool>().Should().BeTrue();
            foreach (var feature in new[] { 0, 1 })
            {
                // d/dz P = p; a product of two, of which the other is held
                var step = 1e-5;
                var other = zeros_like(z);
                Tensor At(double by) => feature == 0 ? stack([z.add(by), other], 1) : stack([other, z.add(by)], 1);
                var slope = ((IElementCdf)density).Cdf(At(step), null).select(1, feature)
                    .sub(((IElementCdf)density).Cdf(At(-step), null).select(1, feature)).div(2 * step);
                var ratio = slope.log().sub(density.LogProb(At(0)));
                // the same for all z: minus log p of the other
                ratio.sub(ratio.mean()).abs().max().item<double>().Should().BeLessThan(1e-5);
            }
            density.Dispose();
        }
    }

    [Theory]
    [InlineData(1, 1, 0.75), InlineData(2, -3, 0.047732983133354), InlineData(5, 2, 0.949030260585071), InlineData(0.5, 0, 0.5)]
    public void The_distribution_function_of_Student_is_that_of_tables(double degrees, double t, double probability) =>
        Internal.SpecialFunctions.StudentCdf(t, degrees).Should().BeApproximately(probability, 1e-12);

    /// <summary>z = −x.</summary>
    private sealed class Mirror() : Bijection(nameof(Mirror), [1])
    {
        protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass) => (x.neg(), zeros(x.shape[0], dtype: x.dtype));

        protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass) => ForwardCore(z, pass);
    }
}
