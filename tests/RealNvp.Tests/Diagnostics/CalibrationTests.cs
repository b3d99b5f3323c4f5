using RealNvp.Tests.Inference;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Calibrating;

[LeavesNoTensors]
public class CalibrationTests
{
    private static readonly Dictionary<string, Func<ConditionalDensity, Tensor, Tensor, long, CalibrationResult>> all = new()
    {
        ["Sbc"] = (d, t, x, seed) => Diagnostics.Sbc(d, t, x, draws: 39, seed: seed),
        ["Coverage"] = (d, t, x, seed) => Diagnostics.Coverage(d, t, x, draws: 39, seed: seed),
        ["Tarp"] = (d, t, x, seed) => Diagnostics.Tarp(d, t, x, draws: 39, seed: seed),
    };

    public static TheoryData<string> Kinds => [.. all.Keys];

    /// <summary>5 % ± 5 % of 120; four standard deviations. The slow one is sharp.</summary>
    [Theory, MemberData(nameof(Kinds))]
    public void A_right_density_is_rejected_as_rarely_as_was_asked_for(string kind) =>
        Rejections(kind, 120, 60).Should().BeInRange(0, 15);

    [SlowTheory, MemberData(nameof(Kinds))]
    public void Of_4000_right_densities_five_percent_are_rejected(string kind) =>
        (Rejections(kind, 4000, 100) / 4000.0).Should().BeInRange(0.035, 0.065);

    private static int Rejections(string kind, int repeats, int rows)
    {
        var (density, rejected) = (new Linear().Density(), 0);
        for (var repeat = 0; repeat < repeats; repeat++)
        {
            using var scope = NewDisposeScope();
            var (theta, x) = Linear.Pairs(rows, 10_000 + repeat);
            if (all[kind](density, theta, x, repeat).IsRejected) rejected++;
        }
        return rejected;
    }

    [Fact]
    public void Each_fault_is_found_and_said()
    {
        using var scope = NewDisposeScope();
        var (theta, x) = Linear.Pairs(800, 1);
        var right = Diagnostics.Sbc(new Linear().Density(), theta, x, draws: 99, names: ["a", "b"]);
        right.IsRejected.Should().BeFalse();
        right.Words.Should().Contain("800 rows, 99 draws each, 4 quantities").And.Contain("Nothing speaks against");
        right.Tests.Select(t => t.Name).Should().Equal("a", "b", "log p", "a·b");
        right.Tests.Should().OnlyContain(t => t.PValue > 0.01 && t.Count == 800 && t.Draws == 99);

        Diagnostics.Sbc(new Linear { Bias = 0.4 }.Density(), theta, x).Words.Should().Contain("not right").And.Contain("θ1: too high");
        Diagnostics.Sbc(new Linear { Bias = -0.4 }.Density(), theta, x).Words.Should().Contain("θ2: too low");
        Diagnostics.Sbc(new Linear { Scale = 0.7 }.Density(), theta, x).Words.Should().Contain("too narrow");
        Diagnostics.Sbc(new Linear { Scale = 1.4 }.Density(), theta, x).Words.Should().Contain("too wide");
        var uncorrelated = Diagnostics.Sbc(new Linear { Claimed = 0 }.Density(known: false), theta, x);
        uncorrelated.IsRejected.Should().BeTrue();
        uncorrelated.Tests.Where(t => t.PValue < 0.001).Select(t => t.Name).Should().Equal("θ1·θ2");

        Diagnostics.Coverage(new Linear { Scale = 0.7 }.Density(), theta, x).Words.Should().Contain("too small").And.Contain("90 % hold");
        Diagnostics.Coverage(new Linear { Scale = 1.4 }.Density(), theta, x).Words.Should().Contain("too large");
        Diagnostics.Tarp(new Linear { Scale = 0.7 }.Density(known: false), theta, x).IsRejected.Should().BeTrue();
        Diagnostics.Tarp(new Linear { Bias = 0.5 }.Density(known: false), theta, x).IsRejected.Should().BeTrue();
    }

    [Fact]
    public void A_density_that_ignores_the_context_is_found_by_references_and_quantities_that_depend_on_it_alone()
    {
        using var scope = NewDisposeScope();
        var (theta, x) = Linear.Pairs(500, 3);
        var prior = new Linear { IgnoresContext = true }.Density();
        Diagnostics.Sbc(prior, theta, x).IsRejected.Should().BeFalse();
        Diagnostics.Coverage(prior, theta, x).IsRejected.Should().BeFalse();
        Diagnostics.Tarp(prior, theta, x, references: zeros_like(theta)).IsRejected.Should().BeFalse();
        Diagnostics.Tarp(prior, theta, x).PValue.Should().BeLessThan(1e-6);
        TestQuantity likelihood = new("log-likelihood", (t, given) => t.sub(given!).square().sum(1).neg());
        var found = Diagnostics.Sbc(prior, theta, x, quantities: [likelihood]);
        found.IsRejected.Should().BeTrue();
        found.Tests[^1].Name.Should().Be("log-likelihood");
        found.Tests[^1].PValue.Should().BeLessThan(1e-6);
    }

    [Theory, InlineData(ScalarType.Float32), InlineData(ScalarType.Float64)]
    public void A_flow_is_right_about_its_own_samples_and_wrong_about_narrower_ones(ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var flow = new RealNvpModel(RealNvpOptions.Tabular(3, rows: 500) with { ContextSize = 2, Hidden = 8, Layers = 2 }, seed: 1);
        if (dtype == ScalarType.Float64) flow.to(ScalarType.Float64);
        using var generator = new Generator(7);
        using (no_grad())
            foreach (var weight in flow.parameters()) weight.add_(Noise.Normal(weight.shape, dtype, CPU, generator).mul(0.05));
        var context = Noise.Normal([300, 2], dtype, CPU, generator);
        var theta = flow.Sample(1, context, seed: 3).squeeze(1);
        var (sbc, coverage, tarp) = (Diagnostics.Sbc(flow, theta, context, draws: 49), Diagnostics.Coverage(flow, theta, context,
            draws: 49),
            Diagnostics.Tarp(flow, theta, context, draws: 49));
        new[] { sbc, coverage, tarp }.Should().OnlyContain(r => r.PValue > 0.002);
        Diagnostics.Sbc(flow, theta, context, draws: 49).Should().Be(sbc, "a seed repeats");
        Diagnostics.Sbc(flow, theta, context, draws: 49, seed: 5).Should().NotBe(sbc);
        var narrow = flow.Sample(1, context, temperature: 0.6, seed: 3).squeeze(1);
        Diagnostics.Sbc(flow, narrow, context, draws: 49).IsRejected.Should().BeTrue();
        Diagnostics.Coverage(flow, narrow, context, draws: 49).Words.Should().Contain("too large");
        flow.Dispose();
    }

    [Fact]
    public void Arrays_give_what_tensors_give_and_an_unconditional_flow_needs_no_context()
    {
        using var scope = NewDisposeScope();
        using var flow = Flows.Random(3);
        var x = flow.Sample(200, seed: 1);
        var rows = new double[200, 2];
        for (var i = 0; i < 400; i++) rows[i / 2, i % 2] = x[i / 2, i % 2].to(float64).item<double>();
        var sbc = Diagnostics.Sbc(flow, rows, draws: 19);
        sbc.PValue.Should().Be(Diagnostics.Sbc(flow, x.to(float64), draws: 19).PValue).And.BeGreaterThan(0.01);
        Diagnostics.Coverage(flow, rows, draws: 19).PValue.Should().BeGreaterThan(0.01);
        Diagnostics.Tarp(flow, rows, draws: 19).PValue.Should().BeGreaterThan(0.01);
    }

    [Fact]
    public void A_result_is_a_value_and_shows_itself_as_HTML()
    {
        using var scope = NewDisposeScope();
        var (theta, x) = Linear.Pairs(50, 1);
        var result = Diagnostics.Sbc(new Linear().Density(), theta, x, draws: 9, names: ["<a>", "b"]);
        result.ToString().Should().Be(result.Words);
        result.ToHtml().Should().Contain("&lt;a&gt;").And.NotContain("<a>").And.Contain("as it should be");
        var test = result.Tests[0];
        test.Points.Should().Equal(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9);
        test.ShareBelow(0).Should().Be(0);
        test.ShareBelow(1).Should().Be(1);
        test.ShareBelow(0.35).Should().BeApproximately((test.Observed[2] + test.Observed[3]) / 2, 1e-12);
        test.Observed.Zip(test.Lower).Should().OnlyContain(p => p.First >= p.Second);
    }

    [Fact]
    public void What_does_not_fit_is_refused_by_name_before_any_draw()
    {
        using var scope = NewDisposeScope();
        var (theta, x) = Linear.Pairs(10, 1);
        var calls = 0;
        ConditionalDensity counting = new((c, n) =>
        {
            calls++;
            return zeros(c.shape[0], n, 2, dtype: float64);
        });
        Refused(() => Diagnostics.Sbc(counting, theta, x.narrow(0, 0, 9)), "*context for each of the 10 rows of theta; got 9*");
        Refused(() => Diagnostics.Sbc(counting, theta), "*needs contexts*");
        Refused(() => Diagnostics.Sbc(counting, theta.mul(double.NaN), x), "*theta holds*NaN*");
        Refused(() => Diagnostics.Sbc(counting, theta.narrow(0, 0, 0), x), "*at least one row*");
        Refused(() => Diagnostics.Sbc(counting, theta, x, draws: 0), "*1 to 1048576 draws*");
        Refused(() => Diagnostics.Sbc(counting, theta, x, level: 5), "*level of 0.0001 to 0.5*");
        Refused(() => Diagnostics.Sbc(counting, theta, x, names: ["a"]), "*a name for each of the 2 numbers*");
        Refused(() => Diagnostics.Coverage(counting, theta, x), "*needs log p*");
        Refused(() => Diagnostics.Tarp(counting, theta, x, references: x.narrow(0, 0, 3)), "*references of shape (10, 2)*");
        calls.Should().Be(0);
        ConditionalDensity wrong = new((c, n) => zeros(n, c.shape[0], 2)), odd = new((c, n) => zeros(c.shape[0], n, 2),
            (t, _) => t.sum(1).mul(double.NaN));
        Refused(() => Diagnostics.Sbc(wrong, theta, x, draws: 5), "*shape (10, 5, 2)*got (5, 10, 2)*");
        Refused(() => Diagnostics.Sbc(odd, theta, x, draws: 5), "*log p is NaN for the true value of row 0*");
        using var flow = Flows.Normal(3);
        Refused(() => Diagnostics.Sbc(flow, theta), "*theta of shape (N, 1)*");
        FluentActions.Invoking(() => Diagnostics.Sbc((Flow)null!, theta)).Should().Throw<ArgumentNullException>();
        using CancellationTokenSource cancelled = new();
        cancelled.Cancel();
        FluentActions.Invoking(() => Diagnostics.Sbc(counting, theta, x, cancellationToken: cancelled.Token)).Should()
            .Throw<OperationCanceledException>();

        static void Refused(Func<CalibrationResult> call, string message) =>
            FluentActions.Invoking(call).Should().Throw<ArgumentException>().WithMessage(message);
    }
}
