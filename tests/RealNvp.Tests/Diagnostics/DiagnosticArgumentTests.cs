using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Calibrating;

/// <summary>Shapes, units and sizes that diagnostics must take, or refuse by name before any work.</summary>
[LeavesNoTensors]
public class DiagnosticArgumentTests
{
    private static readonly ConditionalDensity one = new((x, count, seed) =>
    {
        using var generator = new Generator((ulong)seed);
        return randn([x.shape[0], count], float64, generator: generator).add(x.unsqueeze(1));
    }, (theta, x) => theta.sub(x).square().mul(-0.5));

    [Fact]
    public void True_values_without_a_feature_dimension_are_those_of_one_feature()
    {
        using var scope = NewDisposeScope();
        var (theta, x) = Linear.Pairs(100, 1);
        var (flat, context) = (theta.select(1, 0).contiguous(), x.select(1, 0).contiguous());
        foreach (var result in new DiagnosticResult[]
        {
            Diagnostics.Sbc(one, flat, context), Diagnostics.Coverage(one, flat, context), Diagnostics.Tarp(one, flat, context),
            Diagnostics.Tarp(one, flat, context, zeros_like(flat)), Diagnostics.Pit(one, flat, context),
            Diagnostics.Crps(one, flat, context), Diagnostics.C2st(one, flat, context), Diagnostics.Mmd(one, flat, context),
            Diagnostics.SlicedWasserstein(one, flat, context), Diagnostics.C2st(flat, context),
        })
            result.PValue.Should().BeInRange(0, 1);
    }

    [Theory, InlineData(1e-200), InlineData(1e-30), InlineData(1e30), InlineData(1e150)]
    public void Units_change_nothing(double unit)
    {
        using var scope = NewDisposeScope();
        var (theta, x) = Linear.Pairs(150, 2);
        var other = theta.mul(1.5);
        var density = new ConditionalDensity((context, count, seed) => new Linear { Bias = 0.1 }.Density(false)
            .Draw(context.div(unit), context.div(unit), count, seed, false, "test").Draws.mul(unit));
        var plain = new ConditionalDensity((context, count, seed) => new Linear { Bias = 0.1 }.Density(false)
            .Draw(context, context, count, seed, false, "test").Draws);
        Same(d => Diagnostics.C2st(d.A, d.B, 99), 1e-9);
        Same(d => Diagnostics.Mmd(d.A, d.B, 99), 1e-9);
        Same(d => Diagnostics.SlicedWasserstein(d.A, d.B, 99), 1e-9);
        Diagnostics.Tarp(density, theta.mul(unit), x.mul(unit)).Tests[0].Mean.Should()
            .BeApproximately(Diagnostics.Tarp(plain, theta, x).Tests[0].Mean, 1e-3);

        void Same(Func<(Tensor A, Tensor B), TwoSampleResult> compare, double tolerance) =>
            compare((theta.mul(unit), other.mul(unit))).Statistic.Should().BeApproximately(compare((theta, other)).Statistic, tolerance);
    }

    [Fact]
    public void The_band_of_each_number_of_draws_is_its_own()
    {
        // 150 ranks make 100 bins of one or two ranks, 200 make 100 alike
        UniformBand.Of(61, 200).Accepted(0.05);
        foreach (var values in new[] { 150, 200, 101 })
        {
            var band = UniformBand.Of(61, values);
            var accepted = band.Accepted(0.05);
            // the probability that a uniform function leaves the band is the level, and not that of another band
            var (random, outside) = (new Random(values), 0);
            const int repeats = 4000;
            for (var repeat = 0; repeat < repeats; repeat++)
            {
                var bins = new int[band.Bins];
                for (var i = 0; i < 61; i++) bins[band.BinOf(random.Next(values))]++;
                var (sum, inside) = (0, true);
                for (var k = 0; k < accepted.Length; k++)
                {
                    sum += bins[k];
                    inside &= sum >= accepted[k].Low && sum <= accepted[k].High;
                }
                if (!inside) outside++;
                inside.Should().Be(band.PValue(band.Oddest(bins)) > 0.05);
            }
            (outside / (double)repeats).Should().BeLessThan(0.05 + (4 * 0.0035));
        }
    }

    [Fact]
    public void Equal_samples_are_no_distance_apart()
    {
        using var scope = NewDisposeScope();
        var (theta, _) = Linear.Pairs(60, 3);
        foreach (var sample in new[] { theta, ones(60, 2) })
        {
            var result = Diagnostics.Mmd(sample, sample.clone());
            (result.Statistic, result.PValue).Should().Be((0, 1));
        }
    }

    [Fact]
    public void Results_have_the_names_of_the_columns_of_a_flow_unless_others_are_given()
    {
        using var scope = NewDisposeScope();
        var (theta, x) = Linear.Pairs(20, 5);
        using var flow = new MafModel(MafOptions.Tabular(2, 100) with { ContextSize = 2, Hidden = 4, Layers = 1 }, 1);
        flow.to(float64);
        string[] Sbc(IReadOnlyList<string>? names = null, IReadOnlyList<TestQuantity>? quantities = null) =>
            [.. Diagnostics.Sbc(flow, theta, x, draws: 9, names: names, quantities: quantities).Tests.Select(t => t.Name)];
        string[] Pit(IReadOnlyList<string>? names = null) =>
            [.. Diagnostics.Pit(flow, theta, x, draws: 9, names: names).Tests.Select(t => t.Name)];
        string Crps(string? name = null) => Diagnostics.Crps(flow, theta, x, feature: 1, draws: 9, name: name).Name;

        Sbc().Should().Equal("θ1", "θ2", "log p", "θ1·θ2");
        (string.Join(' ', Pit()), Crps()).Should().Be(("x1 x2", "x2"));
        flow.Info = flow.Info with { Columns = ["speed", "mass"] };
        Sbc().Should().Equal("speed", "mass", "log p", "speed·mass");
        (string.Join(' ', Pit()), Crps()).Should().Be(("speed mass", "mass"));
        // those that are given count more
        Sbc(["a", "b"]).Should().Equal("a", "b", "log p", "a·b");
        (string.Join(' ', Pit(["a", "b"])), Crps("c")).Should().Be(("a b", "c"));
        // columns that results could not tell from other quantities are no error of the caller's
        Sbc(quantities: [new("mass", (point, _) => point.sum(1))]).Should().Equal("θ1", "θ2", "log p", "θ1·θ2", "mass");
        foreach (var columns in new[] { new[] { "a", "a" }, ["log p", "b"], [" ", "b"] })
        {
            flow.Info = flow.Info with { Columns = columns };
            Sbc()[0].Should().Be("θ1");
        }
    }

    [Fact]
    public void What_is_too_large_or_named_twice_is_refused()
    {
        using var scope = NewDisposeScope();
        var (theta, x) = Linear.Pairs(20, 4);
        var density = new Linear().Density();
        var wide = zeros(2, 30_000);
        var wideDensity = new ConditionalDensity((context, count, _) => zeros(context.shape[0], count, 30_000));
        TestQuantity sum = new("θ1", (point, _) => point.sum(1));
        foreach (var (call, word) in new (Action, string)[]
        {
            (() => Diagnostics.Sbc(density, theta, x, names: ["a", "a"]), "*parameter with the name 'a'*"),
            (() => Diagnostics.Sbc(density, theta, x, names: ["a", "log p"]), "*'log p'*"),
            (() => Diagnostics.Sbc(density, theta, x, quantities: [sum]), "*'θ1'*"),
            (() => Diagnostics.Pit(wideDensity, wide, zeros(2, 1), draws: 99), "*quantities at most; got 30,000*"),
            (() => Diagnostics.Mmd(theta, x, maxRows: 60_000), "*4 to 10000*"),
            (() => Diagnostics.SlicedWasserstein(theta, x, 100_000), "*67108 permutations*"),
        })
            call.Should().Throw<ArgumentException>().WithMessage(word);
    }
}
