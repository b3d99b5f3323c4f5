using RealNvp.Samples.Common;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Samples;

/// <summary>The common detectors, against their definitions written out once more.</summary>
public class DetectorTests
{
    public static TheoryData<string> Names => [.. Detectors.Keys];

    private static readonly Dictionary<string, Func<Tensor, IDetector>> Detectors = new()
    {
        ["isolation forest"] = rows => new IsolationForest(rows),
        ["LOF"] = rows => new LocalOutlierFactor(rows),
        ["kNN"] = rows => new NearestNeighbours(rows),
        ["PCA"] = rows => new PrincipalComponents(rows),
        ["Mahalanobis"] = rows => new Mahalanobis(rows),
        ["ECOD"] = rows => new Ecod(rows),
    };

    [Theory, MemberData(nameof(Names))]
    public void A_row_far_out_scores_highest(string name)
    {
        using var scope = NewDisposeScope();
        // the last feature hardly varies beside the sum of the others, and PCA has no component for it
        var rows = Normal(500, 4, 1);
        rows = cat([rows, rows.sum(1, keepdim: true).add(Normal(500, 1, 2).mul(0.1))], 1);
        var odd = tensor(new double[] { 9, 9, 9, 9, -36 }, 1, 5);
        var scores = Detectors[name](rows).Scores(cat([rows, odd]));
        scores.Should().HaveCount(501).And.OnlyContain(s => double.IsFinite(s));
        scores[500].Should().Be(scores.Max(), "an empirical tail ends at the last row, so others may score as high");
    }

    [Theory, MemberData(nameof(Names))]
    public void A_constant_feature_and_other_units_change_nothing(string name)
    {
        using var scope = NewDisposeScope();
        var (rows, fresh) = (Normal(200, 3, 2), Normal(50, 3, 3));
        var expected = Detectors[name](rows).Scores(fresh);
        // a forest draws features by number, so there the units alone change
        Tensor Other(Tensor x) => name == "isolation forest" ? (x * 1024) + 4096
            : cat([(x * 1024) + 4096, full([x.shape[0], 1], 7.0, float64)], 1);
        var got = Detectors[name](Other(rows)).Scores(Other(fresh));
        for (var i = 0; i < 50; i++) got[i].Should().BeApproximately(expected[i], 1e-4 * (1 + Math.Abs(expected[i])), $"row {i}");
    }

    [Theory, MemberData(nameof(Names))]
    public void Wrong_rows_are_refused(string name)
    {
        using var scope = NewDisposeScope();
        var make = Detectors[name];
        FluentActions.Invoking(() => make(null!)).Should().Throw<ArgumentNullException>();
        FluentActions.Invoking(() => make(zeros(3, 2))).Should().Throw<ArgumentException>().WithMessage("*float64*");
        FluentActions.Invoking(() => make(tensor(new[] { 1, double.NaN, 0, 0 }, 2, 2))).Should().Throw<ArgumentException>()
            .WithMessage("Row 0, feature 1*");
        FluentActions.Invoking(() => make(Normal(30, 2, 1)).Scores(ones(3, 1, float64))).Should().Throw<ArgumentException>()
            .WithMessage("*2 features*");
    }

    [Fact]
    public void The_local_outlier_factor_is_that_of_its_definitions()
    {
        using var scope = NewDisposeScope();
        const int k = 3;
        double[] train = [-1.1, 0.2, 101.1, 0.3, 0.5, 0.9, 1.4], fresh = [0.25, 50, -3];
        var mean = train.Average();
        var deviation = Math.Sqrt(train.Average(v => (v - mean) * (v - mean)));
        double[] Near(double x, int without) => [.. train.Where((_, i) => i != without).OrderBy(v => Math.Abs(v - x)).Take(k)];
        double KDistance(double o) => Near(o, Array.IndexOf(train, o)).Max(v => Math.Abs(v - o));
        double Density(double x, int without) =>
            1 / ((Near(x, without).Average(o => Math.Max(KDistance(o), Math.Abs(x - o))) / deviation) + 1e-10);
        var expected = fresh.Select(x => Near(x, -1).Average(o => Density(o, Array.IndexOf(train, o))) / Density(x, -1)).ToArray();
        var scores = new LocalOutlierFactor(tensor(train, [7, 1]), k).Scores(tensor(fresh, [3, 1]));
        for (var i = 0; i < 3; i++) scores[i].Should().BeApproximately(expected[i], 1e-9 * expected[i]);
        scores[1].Should().BeGreaterThan(10);
    }

    [Fact]
    public void The_distance_is_that_to_the_kth_neighbour()
    {
        using var scope = NewDisposeScope();
        // deviation 2 and mean 4
        var detector = new NearestNeighbours(tensor([2.0, 2, 6, 6], [4, 1]), k: 3);
        detector.Scores(tensor([2.0, 10], [2, 1])).Should().Equal(2, 4);
    }

    [Fact]
    public void Mahalanobis_is_the_form_of_the_inverse_covariance_and_the_components_left_over_are_a_part_of_it()
    {
        using var scope = NewDisposeScope();
        var rows = Normal(400, 3, 5).mm(tensor(new double[,] { { 3, 1, 0 }, { 0, 1, 0.4 }, { 0, 0, 0.2 } }));
        var fresh = Normal(20, 3, 6);
        var d = (fresh - rows.mean([0])) / rows.std(0, unbiased: false);
        var z = (rows - rows.mean([0])) / rows.std(0, unbiased: false);
        var covariance = z.t().mm(z) / 400;
        var expected = d.mm(linalg.inv(covariance + (1e-6 * eye(3, dtype: float64)))).mul(d).sum(1).data<double>().ToArray();
        var scores = new Mahalanobis(rows).Scores(fresh);
        for (var i = 0; i < 20; i++) scores[i].Should().BeApproximately(expected[i], 1e-9 * (1 + expected[i]));
        // with all but the last component kept, what is left over is the distance along that one
        var (values, vectors) = linalg.eigh(covariance);
        var last = d.mv(vectors.select(1, 0)).square().data<double>().ToArray();
        var rest = new PrincipalComponents(rows, 1 - (values[0].item<double>() / 3 * 1.001)).Scores(fresh);
        for (var i = 0; i < 20; i++) rest[i].Should().BeApproximately(last[i], 1e-9 * (1 + last[i]));
    }

    [Fact]
    public void Ecod_sums_the_logarithms_of_tail_shares()
    {
        using var scope = NewDisposeScope();
        // skewed to the right, so the right tail counts: 1 of 5 with the new row itself
        var detector = new Ecod(tensor([0.0, 1, 2, 10], [4, 1]));
        detector.Scores(tensor([20.0, -1, 1], [3, 1])).Should().SatisfyRespectively(
            far => far.Should().BeApproximately(Math.Log(5), 1e-12),
            low => low.Should().BeApproximately(Math.Log(5), 1e-12),
            middle => middle.Should().BeApproximately(Math.Log(5.0 / 3), 1e-12));
    }

    private static Tensor Normal(long n, long d, ulong seed)
    {
        using var generator = new Generator(seed, CPU);
        return randn([n, d], dtype: float64, generator: generator);
    }
}
