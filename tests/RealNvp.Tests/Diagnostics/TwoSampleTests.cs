using RealNvp.Tests.Inference;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Calibrating;

[LeavesNoTensors]
public class TwoSampleTests
{
    private static readonly Dictionary<string, Func<Tensor, Tensor, long, TwoSampleResult>> all = new()
    {
        ["C2st"] = (a, b, seed) => Diagnostics.C2st(a, b, 99, seed: seed),
        ["Mmd"] = (a, b, seed) => Diagnostics.Mmd(a, b, 99, seed: seed),
        ["SlicedWasserstein"] = (a, b, seed) => Diagnostics.SlicedWasserstein(a, b, 99, seed: seed),
    };

    private static readonly Dictionary<string, Func<ConditionalDensity, Tensor, Tensor, long, TwoSampleResult>> paired = new()
    {
        ["C2st"] = (d, t, x, seed) => Diagnostics.C2st(d, t, x, 99, seed: seed),
        ["Mmd"] = (d, t, x, seed) => Diagnostics.Mmd(d, t, x, 99, seed: seed),
        ["SlicedWasserstein"] = (d, t, x, seed) => Diagnostics.SlicedWasserstein(d, t, x, 99, seed: seed),
    };

    public static TheoryData<string, bool> Kinds =>
        [.. all.Keys.SelectMany(k => new[] { true, false }.Select(p => new TheoryDataRow<string, bool>(k, p)))];

    /// <summary>5 % of 60; more than 11 has a probability of 2e-5. The slow one is sharp.</summary>
    [Theory, MemberData(nameof(Kinds))]
    public void Samples_of_one_distribution_are_rejected_as_rarely_as_was_asked_for(string kind, bool ofDensity) =>
        Rejections(kind, ofDensity, 60).Should().BeInRange(0, 11);

    [SlowTheory, MemberData(nameof(Kinds))]
    public void Of_500_pairs_of_one_distribution_five_percent_are_rejected(string kind, bool ofDensity) =>
        (Rejections(kind, ofDensity, 500) / 500.0).Should().BeInRange(0.02, 0.08);

    private static int Rejections(string kind, bool ofDensity, int repeats)
    {
        var (density, rejected) = (new Linear().Density(), 0);
        for (var repeat = 0; repeat < repeats; repeat++)
        {
            using var scope = NewDisposeScope();
            var (theta, x) = Linear.Pairs(80, 20_000 + repeat);
            // of unequal numbers
            var result = ofDensity ? paired[kind](density, theta, x, repeat)
                : all[kind](theta, Linear.Pairs(50, 40_000 + repeat).Theta, repeat);
            if (result.IsRejected) rejected++;
        }
        return rejected;
    }

    [Theory, MemberData(nameof(Kinds))]
    public void Samples_that_differ_are_told_apart(string kind, bool ofDensity)
    {
        using var scope = NewDisposeScope();
        var (theta, x) = Linear.Pairs(400, 1);
        var wrong = ofDensity ? paired[kind](new Linear { Bias = 0.7 }.Density(known: false), theta, x, 0)
            : all[kind](theta, Linear.Pairs(300, 2).Theta.mul(1.7), 0);
        wrong.PValue.Should().Be(0.01);
        wrong.IsRejected.Should().BeTrue();
        wrong.Statistic.Should().BeGreaterThan(wrong.Null.Max());
        wrong.Words.Should().EndWith(ofDensity ? "The density is not right." : "The samples are not of one distribution.");
        (wrong.CountA, wrong.CountB, wrong.Features, wrong.IsPaired).Should().Be((400, ofDensity ? 400 : 300, ofDensity ? 4
            : 2, ofDensity));
        var again = ofDensity ? paired[kind](new Linear { Bias = 0.7 }.Density(known: false), theta, x, 0)
            : all[kind](theta, Linear.Pairs(300, 2).Theta.mul(1.7), 0);
        // up to the rounding of products of matrices, which is that of their place in memory
        again.Statistic.Should().BeApproximately(wrong.Statistic, 1e-12, "a seed repeats");
        again.Null.Zip(wrong.Null).Should().OnlyContain(p => Math.Abs(p.First - p.Second) < 1e-12);
        wrong.ToHtml().Should().Contain("by chance");
    }

    [Theory, InlineData("C2st"), InlineData("Mmd"), InlineData("SlicedWasserstein")]
    public void A_density_that_ignores_the_context_is_found(string kind)
    {
        using var scope = NewDisposeScope();
        var (theta, x) = Linear.Pairs(400, 3);
        paired[kind](new Linear { IgnoresContext = true }.Density(), theta, x, 0).PValue.Should().Be(0.01);
    }

    [Fact]
    public void The_classifier_sees_two_modes_that_have_the_moments_of_one()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(5);
        var one = randn([800, 1], float64, generator: generator);
        var two = randn([800, 1], float64, generator: generator).mul(0.3).add(rand([800, 1], float64, generator: generator).lt(0.5)
            .to(float64).mul(2).sub(1).mul(Math.Sqrt(1 - 0.09)));
        var result = Diagnostics.C2st(one, two);
        result.PValue.Should().Be(0.001);
        result.Accuracy.Should().BeGreaterThan(0.6);
        result.Words.Should().Contain("accuracy of");
    }

    [Fact]
    public void Distances_are_those_of_their_formulas()
    {
        using var scope = NewDisposeScope();
        double[] a = [0.1, 1.2, -0.4, 2.2, 0.7], b = [0.3, -1.1, 0.9, 1.4];
        var pooled = a.Concat(b).ToArray();
        var deviation = Math.Sqrt(pooled.Sum(v => Math.Pow(v - pooled.Average(), 2)) / 9);
        // W₁ by its definition: quantile functions of 20 steps of 1/20
        var (x, y) = (a.Order().SelectMany(v => Enumerable.Repeat(v, 4)).ToArray(), b.Order().SelectMany(v => Enumerable.Repeat(v, 5))
            .ToArray());
        var sliced = Diagnostics.SlicedWasserstein(a, b);
        sliced.Statistic.Should().BeApproximately(x.Zip(y, (p, q) => Math.Abs(p - q)).Average() / deviation, 1e-10);

        var squares = pooled.SelectMany(p => pooled.Select(q => Math.Pow((p - q) / deviation, 2))).Where(d => d > 1e-12).Order().ToArray();
        var median = squares[squares.Length / 2];
        double Kernel(double p, double q) =>
            new[] { 0.25, 1, 4 }.Average(w => Math.Exp(-Math.Pow((p - q) / deviation, 2) / (2 * w * median)));
        var mmd = a.Average(p => a.Average(q => Kernel(p, q))) + b.Average(p => b.Average(q => Kernel(p, q)))
            - (2 * a.Average(p => b.Average(q => Kernel(p, q))));
        Diagnostics.Mmd(a, b).Statistic.Should().BeApproximately(mmd, 1e-10);
    }

    [Fact]
    public void A_flow_and_its_own_samples_are_of_one_distribution()
    {
        using var scope = NewDisposeScope();
        using var flow = Flows.Random(3, context: 2);
        using var generator = new Generator(7);
        var context = Noise.Normal([200, 2], ScalarType.Float64, CPU, generator);
        var x = flow.Sample(1, context, seed: 1).squeeze(1);
        Diagnostics.C2st(flow, x, context).PValue.Should().BeGreaterThan(0.002);
        Diagnostics.Mmd(flow, x.mul(2), context).IsRejected.Should().BeTrue();
        var rows = new double[200, 2];
        Diagnostics.SlicedWasserstein(rows, rows).PValue.Should().Be(1, "equal rows are as near as any");
    }

    [Fact]
    public void Systems_are_solved()
    {
        double[] matrix = [4, 2, 0.5, 2, 5, 1, 0.5, 1, 3], right = [1, -2, 3], expected = [1, -2, 3];
        double[] copy = [.. matrix];
        Cholesky.Solve(copy, right);
        for (var i = 0; i < 3; i++)
            Enumerable.Range(0, 3).Sum(j => matrix[(i * 3) + j] * right[j]).Should().BeApproximately(expected[i], 1e-12);
    }

    [Fact]
    public void What_does_not_fit_is_refused_by_name()
    {
        using var scope = NewDisposeScope();
        var (theta, x) = Linear.Pairs(20, 1);
        Refused(() => Diagnostics.C2st(theta, x.narrow(1, 0, 1)), "*rows of one shape; got (20, 2) and (20, 1)*");
        Refused(() => Diagnostics.Mmd(theta.narrow(0, 0, 3), x), "*at least 4 rows*a has shape (3, 2)*");
        Refused(() => Diagnostics.SlicedWasserstein(theta, x.mul(double.NaN)), "*b holds*NaN*");
        Refused(() => Diagnostics.C2st(theta, x, permutations: 5), "*19 to 100000 permutations*");
        Refused(() => Diagnostics.Mmd(theta, x, maxRows: 2), "*maxRows of 4*");
        Refused(() => Diagnostics.Mmd(theta, x, level: 0), "*level of 0.0001 to 0.5*");
        Refused(() => Diagnostics.C2st(new Linear().Density(), theta.narrow(0, 0, 5), x.narrow(0, 0, 5)), "*at least 8 rows*has 5*");

        static void Refused(Func<TwoSampleResult> call, string message) =>
            FluentActions.Invoking(call).Should().Throw<ArgumentException>().WithMessage(message);
    }
}
