using RealNvp.Plotting;
using SkiaSharp;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Plotting;

public class ChartTests
{
    private static bool IsBlue(SKColor c) => c.Blue > 140 && c.Red < 80;
    private static bool IsOrange(SKColor c) => c.Red > 200 && c.Green is > 90 and < 150 && c.Blue < 80;

    [Fact]
    public void The_best_value_is_the_lowest_of_the_validation()
    {
        var curve = new TrainingCurve([3, 2, 1], [3.5, 2.5, 2.7]);
        (curve.BestX, curve.BestY).Should().Be((2, 2.5));
        var likelihood = new TrainingCurve([(10.0, -3.0), (30, -1), (20, -2)], options: new() { LowerIsBetter = false });
        (likelihood.BestX, likelihood.BestY).Should().Be((30, -1));
    }

    [Fact]
    public void A_curve_shows_both_series_and_its_texts()
    {
        using var png = Png.Decode(new TrainingCurve([3, 2.5, 2.2], [3.2, 2.6, 2.4], new() { Title = "Real NVP" }));
        png.Count(IsBlue).Should().BeGreaterThan(300);
        png.Count(IsOrange).Should().BeGreaterThan(300);
        png.DarkPixels(300, 0, 600, 40).Should().BeGreaterThan(40, "the title");
        png.DarkPixels(0, 150, 24, 400).Should().BeGreaterThan(40, "the label of the y axis");
        png.DarkPixels(300, 490, 600, 520).Should().BeGreaterThan(40, "the label of the x axis");
    }

    [Fact]
    public void Not_a_number_leaves_a_gap_and_is_never_best()
    {
        var curve = new TrainingCurve([5, double.NaN, 4, double.NegativeInfinity, 3, 3.5]);
        (curve.BestX, curve.BestY).Should().Be((5, 3));
        using var gapped = Png.Decode(curve);
        using var whole = Png.Decode(new TrainingCurve([5, 4.5, 4, 3.5, 3, 3.5]));
        gapped.Count(IsBlue).Should().BeInRange(50, whole.Count(IsBlue) - 300);
    }

    [Fact]
    public void One_point_is_visible()
    {
        using var png = Png.Decode(new TrainingCurve([2.5]));
        png.Count(350, 150, 550, 350, IsBlue).Should().BeGreaterThan(8);
    }

    [Fact]
    public void A_few_huge_values_at_the_start_do_not_flatten_the_curve()
    {
        double[] usual = [.. Enumerable.Range(0, 60).Select(i => 2 + 2 * Math.Exp(-i / 15.0))];
        double[] spoiled = [1e9, 1e5, .. usual[2..]];
        using var png = Png.Decode(new TrainingCurve(spoiled));
        // the middle of the plane, away from legend and note: a flattened curve would lie at its lower edge
        png.Count(100, 120, 700, 420, IsBlue).Should().BeGreaterThan(300);
    }

    [Fact]
    public void Series_without_a_number_are_refused()
    {
        FluentActions.Invoking(() => new TrainingCurve(Array.Empty<double>())).Should().Throw<ArgumentException>()
            .WithMessage("*0 training*finite*");
        FluentActions.Invoking(() => new TrainingCurve([double.NaN])).Should().Throw<ArgumentException>()
            .WithMessage("*1 training*finite*");
        FluentActions.Invoking(() => new TrainingCurve([(double.NaN, 1.0)])).Should().Throw<ArgumentException>().WithMessage("*finite x*");
        FluentActions.Invoking(() => new TrainingCurve([1.0], options: new() { Width = 10 })).Should().Throw<ArgumentException>()
            .WithMessage("*10 x 520*");
    }

    [Fact]
    public void The_result_of_a_training_is_drawn_as_it_is()
    {
        using var flow = new RealNvpModel(RealNvpOptions.Toy2D with { Hidden = 8, Layers = 2 }, seed: 1);
        using var x = flow.Sample(120, seed: 2);
        using var trainer = new Trainer(flow, new TrainingOptions { Epochs = 3, BatchSize = 60, Seed = 1 });
        var result = trainer.Fit(TrainingData.From(x));
        var curve = new TrainingCurve(result);
        var best = result.History.MinBy(e => e.ValidationLoss)!;
        (curve.BestX, curve.BestY).Should().Be((best.Epoch, best.ValidationLoss!.Value));
        curve.AltText.Should().StartWith("−log p(x), nats an example against epoch: 3 values of training and 3 of validation;",
            "the axis says what was made small");
        curve.ToPng().Should().Equal(new TrainingCurve([.. result.History.Select(e => e.Loss)],
            [.. result.History.Select(e => e.ValidationLoss!.Value)], new() { YLabel = "−log p(x), nats an example" }).ToPng());
        new TrainingCurve(result, new() { YLabel = "mine" }).AltText.Should().StartWith("mine against epoch");

        // without validation, and of another objective
        using var whole = new Trainer(flow, Objective.From("spread", (f, batch, _) => f.TrainingLogProb(batch.X).square()),
            new TrainingOptions { Epochs = 2, BatchSize = 60, ValidationFraction = 0 });
        new TrainingCurve(whole.Fit(TrainingData.From(x))).AltText.Should().StartWith("loss: spread against epoch: 2 values of training;");
        FluentActions.Invoking(() => new TrainingCurve((TrainingResult)null!)).Should().Throw<ArgumentNullException>();
    }

    [Fact]
    public void Infinite_scores_are_counted_in_the_end_bins()
    {
        double[] usual = [.. Enumerable.Range(0, 100).Select(i => (double)i)];
        var picture = new ScoreHistogram(usual, new[] { 50, double.PositiveInfinity, double.NegativeInfinity });
        picture.AltText.Should().Contain("3 of anomaly");
        Png.Decode(picture).Dispose();
        FluentActions.Invoking(() => new ScoreHistogram(usual, new[] { double.PositiveInfinity })).Should().Throw<ArgumentException>()
            .WithMessage("None of the 1 scores of second is finite*");
    }

    [Fact]
    public void A_histogram_shows_both_populations_whatever_their_sizes()
    {
        using var normal = linspace(0, 10, 5000);
        using var anomaly = linspace(20, 25, 10);
        using var png = Png.Decode(new ScoreHistogram(normal, anomaly, new() { Threshold = 15 }));
        png.Count(c => c.Blue > 190 && c.Red is > 150 and < 190).Should().BeGreaterThan(3000, "a light blue area");
        png.Count(c => c.Red > 220 && c.Blue is > 140 and < 190).Should().BeGreaterThan(3000, "a light orange area");
    }

    [Fact]
    public void A_single_huge_score_does_not_squeeze_the_histogram()
    {
        using var normal = cat([linspace(0, 10, 1000), tensor(new[] { 1e7f })]);
        using var anomaly = linspace(5, 15, 100);
        using var png = Png.Decode(new ScoreHistogram(normal, anomaly));
        png.Count(c => c.Blue > 190 && c.Red is > 150 and < 190).Should().BeGreaterThan(3000);
    }

    [Fact]
    public void Equal_scores_are_drawn()
    {
        using var scores = ones(5);
        Png.Decode(new ScoreHistogram(scores, scores)).Dispose();
    }

    [Fact]
    public void Wrong_scores_are_refused()
    {
        using var good = randn(5);
        using var matrix = zeros(5, 1);
        using var broken = tensor(new[] { 1f, float.NaN });
        using var none = zeros(0);
        FluentActions.Invoking(() => new ScoreHistogram(matrix, good)).Should().Throw<ArgumentException>()
            .WithMessage("first has shape (5, 1)*");
        FluentActions.Invoking(() => new ScoreHistogram(good, broken)).Should().Throw<ArgumentException>()
            .WithMessage("second holds 1 of 2*");
        FluentActions.Invoking(() => new ScoreHistogram(good, none)).Should().Throw<ArgumentException>()
            .WithMessage("second has shape (0,)*");
        FluentActions.Invoking(() => new ScoreHistogram(good, good, new() { Bins = 0 })).Should().Throw<ArgumentException>()
            .WithMessage("Bins is 0*");
        FluentActions.Invoking(() => new ScoreHistogram(good, good, new() { Largest = double.NaN })).Should().Throw<ArgumentException>()
            .WithMessage("Largest is NaN*");
    }
}
