using RealNvp.Tests.Infrastructure;
using TorchSharp;
using static RealNvp.Tests.Anomalies.AnomalyCases;
using static TorchSharp.torch;

namespace RealNvp.Tests.Anomalies;

/// <summary>Files of detectors, and what becomes of one that is shared or disposed.</summary>
public class AnomalyFileTests
{
    [Fact]
    public void A_file_holds_all_of_it()
    {
        var detector = Shared;
        var rows = Rows(20, 5);
        using var stream = new MemoryStream();
        detector.Save(stream);
        stream.Position = 0;
        using (var again = AnomalyDetector.Load(stream))
        {
            stream.Position.Should().Be(stream.Length);
            again.Score(rows).Scores.Should().Equal(detector.Score(rows).Scores);
            again.Score(rows).PValues.Should().Equal(detector.Score(rows).PValues);
            again.Columns.Should().Equal(detector.Columns);
            again.Explain([1, 0, 40, 5]).Should().Equal(detector.Explain([1, 0, 40, 5]));
            using var second = new MemoryStream();
            again.Save(second);
            second.ToArray().Should().Equal(stream.ToArray());
        }
        var path = Path.Combine(Path.GetTempPath(), $"detector-{Guid.NewGuid():N}.safetensors");
        try
        {
            detector.Save(path);
            using (var third = AnomalyDetector.Load(path)) third.CalibrationRows.Should().Be(199);
            foreach (Action other in new Action[] { () => FlowModel.Load(path), () => TableFlow.Load(path) })
                other.Should().Throw<InvalidDataException>().WithMessage("*AnomalyDetector.Load*");
            File.AppendAllText(path, "more");
            FluentActions.Invoking(() => AnomalyDetector.Load(path)).Should().Throw<InvalidDataException>()
                .WithMessage("*4 bytes behind*");
            using (var model = new MafModel(MafOptions.Tabular(3))) model.Save(path);
            FluentActions.Invoking(() => AnomalyDetector.Load(path)).Should().Throw<InvalidDataException>()
                .WithMessage("*holds a MafModel, no detector*FlowModel.Load*");
        }
        finally { File.Delete(path); }
    }

    [Fact]
    public void A_damaged_file_gives_an_error_and_no_detector()
    {
        using var stream = new MemoryStream();
        Shared.Save(stream);
        var bytes = stream.ToArray();
        foreach (var length in new[] { 0, 7, 100, bytes.Length / 2, bytes.Length - 1 })
            FluentActions.Invoking(() => AnomalyDetector.Load(new MemoryStream(bytes, 0, length))).Should().Throw<InvalidDataException>();
        var random = new Random(2);
        for (var i = 0; i < 60; i++)
        {
            var copy = (byte[])bytes.Clone();
            // the first part is the detector's own, and a model follows
            copy[random.Next(i % 2 == 0 ? 9000 : copy.Length)] ^= (byte)(1 << random.Next(8));
            FluentActions.Invoking(() => AnomalyDetector.Load(new MemoryStream(copy))).Should().Throw<InvalidDataException>();
        }
    }

    [Fact]
    public void A_flow_that_was_composed_by_hand_has_no_file()
    {
        using var flow = new Flow([1], new Chain(new Permutation([1], [0])));
        flow.eval();
        using var detector = AnomalyDetector.Calibrate(flow, new double[] { 1, 2, 3 });
        FluentActions.Invoking(() => detector.Save(new MemoryStream())).Should().Throw<InvalidOperationException>()
            .WithMessage("*SaveWeights*");
        detector.Dispose();
        flow.LogProb(new double[] { 1 }).Should().HaveCount(1, "the flow is the caller's");
    }

    [Fact]
    public void A_file_of_format_1_gives_the_scores_that_it_gave()
    {
        using var detector = AnomalyDetector.Load(Repository.At("tests", "RealNvp.Tests", "Serialization", "Files",
            "detector-1.safetensors"));
        (detector.Kind, detector.Members, detector.CalibrationRows).Should().Be((AnomalyScoreKind.Latent, 2, 12));
        detector.Columns.Select(c => (c.Name, c.Kind, c.Noise, c.Constant)).Should().Equal(("east", ColumnKind.Continuous, 0, null),
            ("north", ColumnKind.Continuous, 0, null), ("count", ColumnKind.Repeating, 1, null), ("unit", ColumnKind.Constant, 0, 5));
        var scores = detector.Score(Rows(5, 2));
        double[] before = [5.365121, 3.920360, 4.262208, 3.765517, 4.627201], ranks = [1, 10, 5, 13, 3];
        scores.PValues.Should().Equal(ranks.Select(r => r / 13));
        for (var i = 0; i < 5; i++) scores.Scores[i].Should().BeApproximately(before[i], 1e-4);
    }

    [Fact]
    public void A_detector_that_is_disposed_says_so()
    {
        var detector = AnomalyDetector.Fit(Rows(60, 1), Tiny);
        detector.Dispose();
        foreach (Action use in new Action[] { () => detector.Score(Rows(3, 2)), () => detector.Score(Rows(0, 2)),
            () => detector.Explain([1, 0, 2, 5]),
            () => detector.Save(new MemoryStream()) })
            use.Should().Throw<ObjectDisposedException>();
    }

    [Fact]
    public void Several_threads_score_alike()
    {
        var detector = Shared;
        var rows = Rows(50, 9);
        var expected = detector.Score(rows).Scores;
        var results = new IReadOnlyList<double>[4];
        var threads = Enumerable.Range(0, 4).Select(i => new Thread(() => results[i] = detector.Score(rows).Scores)).ToList();
        threads.ForEach(t => t.Start());
        threads.ForEach(t => t.Join());
        results.Should().AllSatisfy(r => r.Should().Equal(expected));
    }

    [Fact]
    [LeavesNoTensors]
    public void A_detector_that_is_disposed_leaves_nothing()
    {
        using var detector = AnomalyDetector.Fit(Rows(60, 1), Tiny with { Score = AnomalyScoreKind.Typicality });
        detector.Score(Rows(3, 2));
        detector.Explain([1, 0, 2, 5]);
        detector.Save(new MemoryStream());
    }

    [Fact]
    public void In_float64_by_default_the_detector_is_one_of_float64() => DefaultDtype.Run(float64, () =>
    {
        using var detector = AnomalyDetector.Fit(Rows(60, 1), Tiny);
        using var stream = new MemoryStream();
        detector.Save(stream);
        stream.Position = 0;
        using var again = AnomalyDetector.Load(stream);
        again.Score(Rows(5, 2)).Scores.Should().Equal(detector.Score(Rows(5, 2)).Scores);
    });
}
