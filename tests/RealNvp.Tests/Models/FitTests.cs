using FluentAssertions;
using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Models;

/// <summary><see cref="FlowModel.Fit(DataRows, DataRows, FitOptions, IProgress{TrainingProgress}, CancellationToken)"/>:
/// from rows to a density in one line.</summary>
[LeavesNoTensors]
public class FitTests
{
    private static readonly FitOptions quick = new() { Training = new TrainingOptions { Epochs = 2, BatchSize = 64 } };

    [Fact]
    public void A_fitted_model_scores_samples_and_reports()
    {
        var rows = Ring(400);
        using var model = FlowModel.Fit(rows, options: quick with { Columns = ["east", "north"] });
        model.Should().BeOfType<SplineFlowModel>().Which.Options.Hidden.Should().Be(32, "360 rows are few");
        model.training.Should().BeFalse();
        var report = model.Report!;
        (report.TrainingRows, report.HeldOutRows).Should().Be((360, 40));
        report.Columns.Should().Equal("east", "north");
        report.Result.Validation.Should().Be(ValidationSource.Given);
        report.HeldOut.Count.Should().Be(40);
        report.Training.Count.Should().Be(360);
        report.ToString().Should().Contain("360 rows of 2 columns").And.Contain("a Gaussian gives").And.Contain("It took");
        System.Xml.Linq.XDocument.Parse($"<div>{report.ToHtml()}</div>");
        model.LogProb(rows).Should().HaveCount(400).And.OnlyContain(p => double.IsFinite(p));
        model.SampleArray(5, seed: 1).GetLength(0).Should().Be(5);
        using var again = FlowModel.Fit(rows, options: quick);
        again.Report!.HeldOut.MeanLogProb.Should().Be(report.HeldOut.MeanLogProb, "a fit is repeatable");
    }

    [Theory]
    [InlineData(1, 500, "MafModel", 64)]
    [InlineData(2, 499, "SplineFlowModel", 32)]
    [InlineData(6, 5_000, "SplineFlowModel", 64)]
    [InlineData(16, 50_000, "SplineFlowModel", 128)]
    [InlineData(40, 1_000, "MafModel", 128)]
    [InlineData(40, 5_000, "MafModel", 64)]
    public void The_preset_follows_rows_and_columns(long columns, long rows, string kind, long hidden)
    {
        var options = Fitting.PresetChoice.Of(columns, rows, 3);
        options.ContextSize.Should().Be(3);
        options.GetType().Name.Should().Be(kind.Replace("Model", "", StringComparison.Ordinal) + "Options");
        ((options as SplineFlowOptions)?.Hidden ?? ((AutoregressiveOptions)options).Hidden).Should().Be(hidden);
        options.Validate();
    }

    [Fact]
    public void The_score_of_a_Gaussian_is_that_of_its_formula()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(4);
        var train = randn([300, 3], dtype: float64,
            generator: generator).mm(tensor(new double[,] { { 2, 0, 0 }, { 1, 0.5, 0 }, { 0, 3, 0.1 } })).add(7);
        var held = randn([20, 3], dtype: float64, generator: generator).add(7);
        var centred = train - train.mean([0L]);
        var covariance = centred.t().mm(centred) / 300;
        var z = held - train.mean([0L]);
        var wanted = (-0.5 * z.mm(linalg.inv(covariance)).mul(z).sum([1L]) - (0.5 * linalg.slogdet(covariance).Item2)
            - (1.5 * Math.Log(2 * Math.PI))).mean().item<double>();
        Fitting.GaussianScore.Of(train, held).Should().BeApproximately(wanted, 0.02 * Math.Abs(wanted),
            "there is a little on the diagonal");
    }

    [Fact]
    public void A_conditional_density_takes_a_context()
    {
        var rows = Ring(60);
        var context = Ring(60, seed: 2);
        using var model = FlowModel.Fit(rows, context, quick with { ContextColumns = ["a", "b"] });
        model.ContextSize.Should().Be(2);
        double.IsNaN(model.Report!.GaussianHeldOut).Should().BeTrue();
        model.Report.ToString().Should().NotContain("Gaussian");
        model.LogProb(rows, context).Should().HaveCount(60);
    }

    [Fact]
    public void Options_and_a_tensor_are_taken()
    {
        using var rows = tensor(Ring(50));
        using var model = FlowModel.Fit(rows, options: quick with { Model = RealNvpOptions.Toy2D, HeldOut = 0.2 });
        model.Should().BeOfType<RealNvpModel>();
        model.Report!.HeldOutRows.Should().Be(10);
        model.Report.Model.Should().Contain("as asked for");
    }

    [Fact]
    public void What_no_density_can_be_fitted_to_is_refused_by_the_names_of_columns()
    {
        var rows = Ring(60);
        var names = quick with { Columns = ["age", "weight"] };
        rows[7, 1] = double.NaN;
        Message(() => FlowModel.Fit(rows, options: names)).Should()
            .Contain("1 ('weight')").And.Contain("row 7").And.Contain("Leave these rows out");
        for (var i = 0; i < 60; i++) rows[i, 1] = 5;
        Message(() => FlowModel.Fit(rows, options: names)).Should()
            .Contain("1 ('weight') is 5 in all 54 rows").And.Contain("Leave the column(s) out");
        Message(() => FlowModel.Fit(rows, options: quick)).Should().Contain("column 1 is 5");
        Message(() => FlowModel.Fit(Ring(19), options: quick)).Should().Contain("at least 20 rows").And.Contain("got 19");
        Message(() => FlowModel.Fit(new float[100])).Should().Contain("how many columns");
        Message(() => FlowModel.Fit((double[,]?)null)).Should().Contain("null");
        Message(() => FlowModel.Fit(Ring(60), options: quick with { Columns = ["one"] })).Should().Contain("1 name(s) for 2 column(s)");
        Message(() => FlowModel.Fit(Ring(60), options: quick with { HeldOut = 0 })).Should().Contain("(0, 0.9]");
        Message(() => FlowModel.Fit(Ring(60), options: quick with { Model = RealNvpOptions.Tabular(3) })).Should().Contain("(3,)");
        Message(() => FlowModel.Fit(Ring(60), Ring(50), quick)).Should().Contain("50 for 60 rows");
        Message(() => FlowModel.Fit(Ring(60), Ring(60), quick with { Model = RealNvpOptions.Toy2D })).Should().Contain("ContextSize = 0");
        using var line = randn(60);
        Message(() => FlowModel.Fit(line)).Should().Contain("unsqueeze(1)");
    }

    [Fact]
    public void Columns_of_few_values_and_a_flow_that_is_no_better_than_a_Gaussian_are_said()
    {
        var rows = Ring(400);
        for (var i = 0; i < 400; i++) rows[i, 0] = i % 3;
        using var model = FlowModel.Fit(rows, options: quick with { Columns = ["kind", "north"] });
        model.Report!.Warnings.Should().Contain(w => w.Contains("0 ('kind') has 3", StringComparison.Ordinal));
        using var scope = NewDisposeScope();
        using var generator = new Generator(3);
        using var normal = FlowModel.Fit(randn([60, 2], generator: generator).mul(3),
            options: new FitOptions { Model = RealNvpOptions.Toy2D, Training = new TrainingOptions { MaxSteps = 1 } });
        normal.Report!.Warnings.Should().Contain(w => w.Contains("A Gaussian describes the held-out rows better",
            StringComparison.Ordinal));
    }

    [Fact]
    public void A_fit_that_is_cancelled_gives_a_model_that_says_so()
    {
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        using var model = FlowModel.Fit(Ring(60), options: quick, cancellationToken: cancelled.Token);
        model.Report!.Result.Reason.Should().Be(StopReason.Cancelled);
        model.LogProb(Ring(3)).Should().HaveCount(3);
    }

    private static string Message(Action action) => Assert.ThrowsAny<ArgumentException>(action).Message;

    private static double[,] Ring(int count, int seed = 1)
    {
        var random = new Random(seed);
        var rows = new double[count, 2];
        for (var i = 0; i < count; i++)
        {
            var angle = 2 * Math.PI * random.NextDouble();
            (rows[i, 0], rows[i, 1]) = (Math.Cos(angle) + (0.1 * random.NextDouble()), Math.Sin(angle) + (0.1 * random.NextDouble()));
        }
        return rows;
    }
}
