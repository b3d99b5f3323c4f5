using System.Globalization;
using Microsoft.ML;
using RealNvp.ML;

namespace RealNvp.PublicTests.ML;

/// <summary>The trainer in a pipeline of ML.NET, as docs/mlnet.md has it.</summary>
public class PipelineTests
{
    private static NormalizingFlowOptions Quick(int members = 1, AnomalyScoreKind score = AnomalyScoreKind.Density) => new()
    {
        Detector = new()
        {
            Model = SplineFlowOptions.Tabular(2, 100) with { Layers = 2, Hidden = 8, Blocks = 1 }, Members = members, Score = score,
            Training = new() { Epochs = 3, BatchSize = 64 },
        },
    };

    [Fact]
    public void A_pipeline_trains_evaluates_is_saved_and_loads_with_the_same_scores()
    {
        var context = new MLContext(seed: 1);
        var heard = new List<string>();
        context.Log += (_, e) => heard.Add(e.Message);
        var data = context.Data.LoadFromEnumerable(PipelineRow.Circle(500));
        var pipeline = PipelineRow.Features(context, "A", "B", "Same")
            .Append(context.AnomalyDetection.Trainers.NormalizingFlow(options: Quick(members: 2)));
        using var model = pipeline.Fit(data);
        heard.Should().Contain(m => m.Contains("Same is 7 in all rows", StringComparison.Ordinal), "columns have the names of their slots");

        var rows = PipelineRow.Circle(1_030, anomalies: 20);
        rows[3].Same = 8;
        rows[4].A = float.NaN;
        var test = context.Data.LoadFromEnumerable(rows);
        var scored = Scores(context, model.Transform(test));
        scored.Select(s => s.Id).Should().Equal(rows.Select(r => r.Id), "rows stay where they were");
        var quality = context.AnomalyDetection.Evaluate(context.Data.FilterRowsByMissingValues(model.Transform(test), "Score"));
        quality.AreaUnderRocCurve.Should().BeGreaterThan(0.95);
        var last = model.LastTransformer;
        last.FalseAlarms.Should().Be(0.01);
        scored.Should().OnlyContain(s => s.PredictedLabel == (float.IsNaN(s.Score) || s.Score >= last.Threshold));
        scored.Take(1_030).Count(s => s.PredictedLabel).Should().BeInRange(1, 100, "one in a hundred is meant");
        (scored[3].Score, scored[3].LogDensity).Should().Be((float.MaxValue, float.MinValue), "that column was constant");
        (scored[4].Score, scored[4].LogDensity, scored[4].PredictedLabel).Should().Be((float.NaN, float.NaN, true));

        using var file = new MemoryStream();
        context.Model.Save(model, data.Schema, file);
        file.Position = 0;
        var fresh = new MLContext();
        var again = fresh.Model.Load(file, out _);
        Agree(Scores(fresh, again.Transform(test)), scored);
        foreach (var engine in new[] { fresh.Model.CreatePredictionEngine<PipelineRow, ScoredRow>(again),
            context.Model.CreatePredictionEngine<PipelineRow, ScoredRow>(model) })
            Agree([.. new[] { 0, 3, 4, 1_040 }.Select(i => engine.Predict(rows[i]))], [scored[0], scored[3], scored[4], scored[1_040]]);
        (again as IDisposable)?.Dispose();
    }

    // also in processes that write a half as 0,5
    [Theory]
    [InlineData(AnomalyScoreKind.Latent, ","), InlineData(AnomalyScoreKind.Typicality, "\u066b")]
    public void Batches_and_the_saved_graph_agree_for_each_kind_of_score_in_each_culture(AnomalyScoreKind kind, string separator)
    {
        var before = CultureInfo.CurrentCulture;
        try
        {
            var culture = (CultureInfo)CultureInfo.InvariantCulture.Clone();
            culture.NumberFormat.NumberDecimalSeparator = separator;
            CultureInfo.CurrentCulture = culture;
            var context = new MLContext(seed: 1);
            var data = context.Data.LoadFromEnumerable(PipelineRow.Circle(100, anomalies: 10));
            using var model = PipelineRow.Features(context, "A", "B")
                .Append(new NormalizingFlowTrainer(context, options: Quick(2, kind))).Fit(context.Data.TakeRows(data, 100));
            using var file = new MemoryStream();
            context.Model.Save(model, data.Schema, file);
            file.Position = 0;
            var again = context.Model.Load(file, out _);
            var scored = Scores(context, model.Transform(data));
            Agree(Scores(context, again.Transform(data)), scored);
            scored.Select(s => s.PredictedLabel).Should().Contain([true, false]);
            model.LastTransformer.Detector!.Kind.Should().Be(kind);
        }
        finally { CultureInfo.CurrentCulture = before; }
    }

    [Fact]
    public void Rows_keep_their_scores_whatever_is_done_with_the_table_and_one_that_changes_is_refused()
    {
        using var flow = new RealNvpModel(RealNvpOptions.Toy2D, seed: 1);
        var context = new MLContext(seed: 1);
        var features = PipelineRow.Features(context, "A", "B").Fit(context.Data.LoadFromEnumerable(PipelineRow.Circle(1)));
        using var transformer = flow.ToTransformer();
        var rows = PipelineRow.Circle(1_500);
        rows[7].A = float.NaN;
        var view = transformer.Transform(features.Transform(context.Data.LoadFromEnumerable(rows)));
        var scores = Scores(context, view).ToDictionary(s => s.Id, s => s.Score);
        foreach (var other in new[] { context.Data.Cache(view), context.Data.ShuffleRows(view, seed: 1), context.Data.SkipRows(view, 1_100),
            transformer.Transform(context.Data.ShuffleRows(features.Transform(context.Data.LoadFromEnumerable(rows)), seed: 2)) })
            Scores(context, other).Should().OnlyContain(s => s.Score.Equals(scores[s.Id]));

        using (var cursor = view.GetRowCursor([view.Schema["Score"], view.Schema["Id"]]))
        {
            var (get, score) = (cursor.GetGetter<float>(view.Schema["Score"]), 0f);
            FluentActions.Invoking(() => get(ref score)).Should().Throw<InvalidOperationException>("no row is there yet");
            for (var i = 0; cursor.MoveNext(); i++)
                for (var again = 0; again < i % 3; again++)
                {
                    get(ref score);
                    score.Should().Be(scores[i]);
                }
            FluentActions.Invoking(() => get(ref score)).Should().Throw<InvalidOperationException>("there is none any more");
            FluentActions.Invoking(() => cursor.GetGetter<float>(view.Schema["LogDensity"])).Should().Throw<ArgumentException>();
        }

        // A second reading with other rows, with fewer, with more, with none, or the only one with any. What transforms give is read on a
        // thread for each reading, either of which may be the first; of rows as they are the cursor beside the scores is.
        IEnumerable<PipelineRow> Other(int reading) => rows.Skip(10 + reading).Take(40);
        IEnumerable<PipelineRow> Fewer(int reading) => rows.Skip(10).Take(1_100 - (200 * reading));
        IEnumerable<PipelineRow> More(int reading) => Fewer(1 - reading);
        IEnumerable<PipelineRow> Once(int reading) => rows.Skip(10).Take(reading == 0 ? 20 : 0);
        IEnumerable<PipelineRow> Later(int reading) => Once(1 - reading);
        foreach (var changing in new[] { Other, Fewer, More, Once, Later })
            foreach (var hasThreads in new[] { true, false })
            {
                var readings = 0;
                IEnumerable<PipelineRow> Read()
                {
                    foreach (var row in changing(Interlocked.Increment(ref readings) - 1)) yield return row;
                }
                var table = hasThreads ? features.Transform(context.Data.LoadFromEnumerable(Read()))
                    : context.Data.LoadFromEnumerable(Read().Select(row => new VectorRow { Features = [row.A, row.B] }));
                FluentActions.Invoking(() => Scores(context, transformer.Transform(table))).Should()
                    .Throw<InvalidOperationException>().WithMessage("*second reading*Cache*");
                readings.Should().Be(2);
            }
        transformer.Dispose();
        FluentActions.Invoking(() => transformer.Transform(view)).Should().Throw<ObjectDisposedException>();
        FluentActions.Invoking(() => context.Model.CreatePredictionEngine<VectorRow, ScoredRow>(transformer)).Should()
            .Throw<ObjectDisposedException>();
        FluentActions.Invoking(() => context.Model.Save(transformer, view.Schema, Stream.Null)).Should().Throw<ObjectDisposedException>();
    }

    [Fact]
    public void A_trained_flow_scores_a_table_without_leaving_ML_NET()
    {
        using var flow = new RealNvpModel(RealNvpOptions.Toy2D, seed: 1);
        var random = new Random(1);
        var rows = Enumerable.Range(0, 1_100).Select(_ => new VectorRow { Features = [random.NextSingle(), 2 * random.NextSingle()] })
            .ToArray();
        var context = new MLContext();
        var data = context.Data.LoadFromEnumerable(rows);
        using var transformer = flow.ToTransformer();
        var scored = Scores(context, transformer.Transform(data));
        scored.Select(s => (double)s.LogDensity).Should().Equal(flow.LogProb(rows.Select(r => r.Features).ToArray()),
            (a, b) => Math.Abs(a - b) < 1e-5 * (1 + Math.Abs(b)));
        scored.Should().OnlyContain(s => s.Score == -s.LogDensity);
        transformer.GetOutputSchema(data.Schema).GetColumnOrNull("PredictedLabel").Should().BeNull("nothing calibrates it");
        (transformer.Threshold, transformer.FalseAlarms, transformer.Detector).Should().Be((null, null, null));
        using var file = new MemoryStream();
        context.Model.Save(transformer, data.Schema, file);
        file.Position = 0;
        Agree(Scores(context, new MLContext().Model.Load(file, out _).Transform(data)), scored);
    }

    [Fact]
    public void The_seed_of_the_context_or_of_the_options_makes_a_training_repeatable()
    {
        var rows = PipelineRow.Circle(40);
        float[] Fit(int? contextSeed, long? seed)
        {
            var context = new MLContext(contextSeed);
            var data = context.Data.LoadFromEnumerable(rows);
            var options = Quick() with { Seed = seed };
            using var model = PipelineRow.Features(context, "A", "B")
                .Append(context.AnomalyDetection.Trainers.NormalizingFlow(options: options with
                {
                    Detector = options.Detector with { Training = new() { Epochs = 1 } },
                })).Fit(data);
            return [.. Scores(context, model.Transform(data)).Select(s => s.Score)];
        }
        Fit(5, null).Should().Equal(Fit(5, null)).And.NotEqual(Fit(6, null));
        Fit(null, 5).Should().Equal(Fit(1, 5));
    }

    private static ScoredRow[] Scores(MLContext context, IDataView view) =>
        [.. context.Data.CreateEnumerable<ScoredRow>(view, reuseRowObject: false, ignoreMissingColumns: true)];

    private static void Agree(ScoredRow[] found, ScoredRow[] expected)
    {
        static bool Near(float a, float b) => a.Equals(b) || Math.Abs(a - b) <= 1e-4 * (1 + Math.Abs(b));
        found.Should().HaveSameCount(expected);
        for (var i = 0; i < found.Length; i++)
        {
            Near(found[i].LogDensity, expected[i].LogDensity).Should().BeTrue("{0}, {1}", found[i].LogDensity, expected[i].LogDensity);
            Near(found[i].Score, expected[i].Score).Should().BeTrue("{0}, {1}", found[i].Score, expected[i].Score);
        }
        found.Zip(expected).Count(p => p.First.PredictedLabel != p.Second.PredictedLabel).Should().BeLessThanOrEqualTo(1,
            "a score may lie at the threshold itself");
    }
}
