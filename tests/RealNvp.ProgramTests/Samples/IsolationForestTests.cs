using RealNvp.Samples.Common;
using RealNvp.Samples.Table;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Samples;

public class IsolationForestTests
{
    [Fact]
    public void The_mean_path_length_is_that_of_the_paper()
    {
        // c(n) = 2 H(n - 1) - 2 (n - 1) / n, with H(i) = ln i + Euler's constant
        IsolationForest.PathLength(256).Should().BeApproximately(10.244770920119917, 1e-12);
        (IsolationForest.PathLength(1), IsolationForest.PathLength(2)).Should().Be((0, 1));
        foreach (var n in new[] { 64, 500 })
            IsolationForest.PathLength(n).Should().BeApproximately((2 * Enumerable.Range(1, n - 1).Sum(i => 1.0 / i)) - (2.0 * (n - 1) / n),
                1.1 / (n - 1));
    }

    [Fact]
    public void A_row_far_out_scores_highest_and_usual_rows_below_a_half()
    {
        using var scope = NewDisposeScope();
        var rows = Normal(2000, 4, 1);
        rows[7] = 12;
        var scores = new IsolationForest(rows, seed: 3).Scores(rows);
        scores.Should().OnlyContain(s => s > 0 && s < 1);
        Array.IndexOf(scores, scores.Max()).Should().Be(7);
        scores[7].Should().BeGreaterThan(0.7);
        scores.Order().ElementAt(1000).Should().BeInRange(0.38, 0.5);
    }

    [Fact]
    public void The_score_is_that_of_the_mean_path()
    {
        using var scope = NewDisposeScope();
        // one threshold parts the two rows, whatever it is: h = 1 = c(2), and the score is a half
        new IsolationForest(tensor(new double[] { 0, 1 }, 2, 1)).Scores(tensor(new double[] { -5, 9 }, 2, 1)).Should().Equal(0.5, 0.5);
        // rows that are all alike cannot be parted: h = c(n) at once
        new IsolationForest(ones(300, 3, float64)).Scores(tensor(new double[] { 1, 1, 1, 99, 99, 99 }, 2, 3)).Should()
            .AllSatisfy(s => s.Should().BeApproximately(0.5, 1e-12));
        // of 3 values 0, 1, 10 the last stands alone after one threshold in 9 of 10 trees
        var scores = new IsolationForest(tensor(new double[] { 0, 1, 10 }, 3, 1), seed: 1, treeCount: 4000)
            .Scores(tensor(new double[] { 10 }, 1, 1));
        scores[0].Should().BeApproximately(Math.Pow(2, -1.1 / IsolationForest.PathLength(3)), 0.01);
    }

    [Fact]
    public void The_seed_alone_decides()
    {
        using var scope = NewDisposeScope();
        var rows = Normal(500, 3, 2);
        var scores = new IsolationForest(rows, seed: 5).Scores(rows);
        new IsolationForest(rows, seed: 5).Scores(rows).Should().Equal(scores);
        new IsolationForest(rows, seed: 6).Scores(rows).Should().NotEqual(scores);
        LiveTensors.ChangeOver(() => new IsolationForest(rows).Scores(rows)).Should().Be(0);
    }

    [Fact]
    public void On_the_vowels_it_is_as_good_as_published()
    {
        using var table = Csv.Read(SampleData.Vowels);
        using var features = table.Without("other_speaker");
        using var label = table.Column("other_speaker");
        var anomalies = label.data<double>().ToArray().Select(l => l == 1).ToArray();
        var auc = Enumerable.Range(0, 3).Average(seed => Metrics.RocAuc(new IsolationForest(features.Values, seed).Scores(features.Values),
            anomalies));
        // ADBench, table D4: 73.94
        auc.Should().BeInRange(0.68, 0.82);
    }

    [Fact]
    public void Wrong_rows_are_refused()
    {
        using var scope = NewDisposeScope();
        FluentActions.Invoking(() => new IsolationForest(null!)).Should().Throw<ArgumentNullException>();
        FluentActions.Invoking(() => new IsolationForest(zeros(3, 2))).Should().Throw<ArgumentException>().WithMessage("*float64*");
        FluentActions.Invoking(() => new IsolationForest(tensor(new[] { 1, double.NaN }, 1, 2))).Should().Throw<ArgumentException>()
            .WithMessage("Row 0, feature 1*");
        FluentActions.Invoking(() => new IsolationForest(ones(3, 2, float64)).Scores(ones(3, 1, float64))).Should()
            .Throw<ArgumentException>().WithMessage("*2 features*");
    }

    private static Tensor Normal(long n, long d, ulong seed)
    {
        using var generator = new Generator(seed, CPU);
        return randn([n, d], dtype: float64, generator: generator);
    }
}
