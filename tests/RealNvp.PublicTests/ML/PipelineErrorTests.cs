using Microsoft.ML;
using Microsoft.ML.Data;
using RealNvp.ML;

namespace RealNvp.PublicTests.ML;

/// <summary>What a pipeline is told that cannot be trained: the column, and what to do.</summary>
public class PipelineErrorTests
{
    private readonly MLContext context = new(seed: 1);

    [Fact]
    public void A_missing_column_and_one_of_another_type_are_named_before_the_training()
    {
        var rows = context.Data.LoadFromEnumerable(PipelineRow.Circle(40));
        Fit(rows, "Fetures").Should().Throw<ArgumentException>()
            .WithMessage("There is no column 'Fetures'; there are Id, A, B*Concatenate*");
        Fit(rows, "A").Should().Throw<ArgumentException>().WithMessage("Column 'A' is Single; expected a vector of Single*Concatenate*");
        var doubles = context.Data.LoadFromEnumerable(Enumerable.Repeat(new Doubles { X = [1, 2] }, 40));
        Fit(doubles, "X").Should().Throw<ArgumentException>().WithMessage("Column 'X' is Vector<Double, 2>*ConvertType*");
        var open = context.Data.LoadFromEnumerable(Enumerable.Repeat(new Open { X = [1, 2] }, 40));
        Fit(open, "X").Should().Throw<ArgumentException>().WithMessage("Column 'X' is Vector<Single>*known size*");
        var inPipeline = () =>
            context.Transforms.CopyColumns("Y", "A").Append(context.AnomalyDetection.Trainers.NormalizingFlow("Y")).Fit(rows);
        inPipeline.Should().Throw<ArgumentException>().WithMessage("Column 'Y' is Scalar of Single*");
    }

    [Fact]
    public void Missing_values_and_too_few_rows_are_refused_by_the_name_of_the_column()
    {
        var rows = PipelineRow.Circle(40);
        rows[3].B = float.NaN;
        Pipeline(rows).Should().Throw<ArgumentException>().WithMessage("Column 'Features': *row 3*B*NaN*(Parameter 'rows')")
            .Which.Message.Split("Parameter").Should().HaveCount(2);
        Pipeline(PipelineRow.Circle(20)).Should().Throw<ArgumentException>().WithMessage("Column 'Features': *30 rows*20*");
    }

    [Fact]
    public void Options_out_of_their_range_and_shares_that_the_rows_cannot_tell_are_refused()
    {
        foreach (var make in new Func<NormalizingFlowTrainer>[] { () => context.AnomalyDetection.Trainers.NormalizingFlow(""),
            () => new NormalizingFlowTrainer(context, "") })
            make.Should().Throw<ArgumentException>().WithMessage("*empty*");
        ((Func<NormalizingFlowTrainer>)(() => new NormalizingFlowTrainer(null!))).Should().Throw<ArgumentNullException>();
        var fit = () => context.AnomalyDetection.Trainers.NormalizingFlow(options: new() { FalseAlarms = 1 });
        fit.Should().Throw<ArgumentException>().WithMessage("*FalseAlarms*(0, 1)*got 1*");
        using var flow = new RealNvpModel(RealNvpOptions.Toy2D, seed: 1);
        using var detector = AnomalyDetector.Calibrate(flow, new float[,] { { 0, 0 }, { 1, 1 }, { 2, 1 } });
        ((Action)(() => detector.ToTransformer(falseAlarms: 0.01))).Should().Throw<ArgumentOutOfRangeException>()
            .WithMessage("*3 rows*0.25*");
        using var few = detector.ToTransformer();
        few.FalseAlarms.Should().Be(0.25, "the smallest share that three rows can tell");
        var three = context.Data.LoadFromEnumerable(PipelineRow.Circle(3));
        var transform = () => few.Transform(PipelineRow.Features(context, "A", "B", "Same").Fit(three).Transform(three));
        transform.Should().Throw<ArgumentException>().WithMessage("*2 feature(s), and column 'Features' 3*");
        using var images = new RealNvpModel(RealNvpOptions.Tabular(2, rows: 100) with { ContextSize = 1 }, seed: 1);
        ((Action)(() => images.ToTransformer())).Should().Throw<ArgumentException>().WithMessage("*without a context*");
    }

    private Action Fit(IDataView view, string column) => () => context.AnomalyDetection.Trainers.NormalizingFlow(column).Fit(view);

    private Action Pipeline(PipelineRow[] rows) => () => PipelineRow.Features(context, "A", "B")
        .Append(context.AnomalyDetection.Trainers.NormalizingFlow()).Fit(context.Data.LoadFromEnumerable(rows));

    private sealed class Doubles
    {
        [VectorType(2)]
        public double[] X { get; set; } = [];
    }

    private sealed class Open
    {
        public float[] X { get; set; } = [];
    }
}
