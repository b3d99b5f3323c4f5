using RealNvp.Onnx;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Onnx;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Anomalies;

/// <summary>A detector as an ONNX file, scored by OnnxRuntime.</summary>
[LeavesNoTensors]
public sealed class AnomalyOnnxTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    // continuous, whole numbers and a constant; every second member sees whitened columns
    [Theory, InlineData(AnomalyScoreKind.Latent), InlineData(AnomalyScoreKind.Density), InlineData(AnomalyScoreKind.Typicality)]
    public void The_file_of_a_detector_scores_as_the_detector_does(AnomalyScoreKind kind)
    {
        using var scope = NewDisposeScope();
        using var detector = AnomalyDetector.Fit(AnomalyCases.Rows(200, 1), AnomalyCases.Tiny with { Score = kind });
        detector.Columns.Select(c => c.Kind).Should().Equal(ColumnKind.Continuous, ColumnKind.Continuous, ColumnKind.Repeating,
            ColumnKind.Constant);
        var path = folder.At("détecteur.onnx");
        detector.ExportOnnx(path);
        using var session = new OnnxSession(File.ReadAllBytes(path));
        session.Inputs["x"].Dimensions.Should().Equal(-1, 4);
        // ordinary, far away, between the whole numbers, and with another value in the column that was constant
        var ordinary = tensor(AnomalyCases.Rows(20, 2)).to(float32);
        var odd = tensor(new float[] { 50, -80, 3, 5, 1e6f, 0, 0, 5, 1, 0, 2.5f, 5, 1, 0, 2, 6 }, [4, 4]);
        var x = cat([ordinary, odd]);
        var found = session.Run(("x", x));
        var rows = x.data<float>().ToArray();
        double[] scores = new double[24], logProb = new double[24];
        detector.ScoreInto(rows, scores, logProb);
        double.IsPositiveInfinity(scores[^1]).Should().BeTrue();
        double.IsNegativeInfinity(logProb[^1]).Should().BeTrue();
        detector.ExportOnnx(path, float64);
        using var precise = new OnnxSession(File.ReadAllBytes(path));
        var exact = precise.Run(("x", x.to(float64)));
        new[] { OnnxGaps.Of("score", found["score"], tensor(scores), exact["score"]),
            OnnxGaps.Of("log_prob", found["log_prob"], tensor(logProb), exact["log_prob"]) }.OfType<string>().Should().BeEmpty();
        // what Score refuses is NaN, in its row alone
        var bad = session.Run(("x", tensor(new[] { 1, 0, 2, 5f, 1, float.NaN, 2, 5, 1, 0, float.PositiveInfinity, 5 }, [3, 4])));
        foreach (var output in new[] { "score", "log_prob" })
            bad[output].flatten().isnan().data<bool>().ToArray().Should().Equal(false, true, true);
    }

    [Fact]
    public void A_column_whose_digits_float32_does_not_hold_is_scored_by_a_file_in_float64()
    {
        using var scope = NewDisposeScope();
        var rows = AnomalyCases.Rows3(120, 1);
        // seconds since 1970
        for (var i = 0; i < 120; i++) rows[i, 0] += 1.7e9;
        using var detector = AnomalyDetector.Fit(rows, AnomalyCases.Tiny);
        detector.ExportOnnx(folder.At("wide.onnx"), float64);
        using var session = new OnnxSession(File.ReadAllBytes(folder.At("wide.onnx")));
        var found = session.Run(("x", tensor(rows)))["score"].flatten();
        var own = tensor(detector.Score(rows).Scores.ToArray());
        found.sub(own).abs().div(own.abs().add(1)).max().item<double>().Should().BeLessThan(1e-5);
    }

    [Fact]
    public void What_cannot_be_written_is_refused_by_name_and_a_file_that_is_there_stays()
    {
        var path = folder.At("detector.onnx");
        File.WriteAllText(path, "mine");
        using var flow = new FfjordModel(FfjordOptions.Toy2D with { Hidden = 4 }, seed: 1);
        using var solved = AnomalyDetector.Calibrate(flow, new double[,] { { 0, 1 }, { 1, 0 }, { 2, 1 } });
        solved.Invoking(d => d.ExportOnnx(path)).Should().Throw<OnnxExportException>().WithMessage("FfjordModel*(ContinuousLayer)*");
        solved.Invoking(d => d.ExportOnnx("")).Should().Throw<ArgumentException>();
        solved.Invoking(d => d.ExportOnnx(path, int64)).Should().Throw<ArgumentException>().WithMessage("*float32 or float64*");
        var graph = new OnnxGraph("more");
        solved.Invoking(d => d.ToOnnx(graph.Input("x", [3]))).Should().Throw<ArgumentException>().WithMessage("*rows of 2 numbers*");
        using var plain = new RealNvpModel(RealNvpOptions.Toy2D with { Hidden = 4 }, seed: 1);
        using var detector = AnomalyDetector.Calibrate(plain, new double[,] { { 0, 1 }, { 1, 0 }, { 2, 1 } });
        detector.Invoking(d => d.ExportOnnx(Path.Combine(folder.Path, "none", "x.onnx"))).Should().Throw<IOException>();
        plain.Dispose();
        detector.Invoking(d => d.ExportOnnx(path)).Should().Throw<ObjectDisposedException>();
        File.ReadAllText(path).Should().Be("mine");
        Directory.GetFiles(folder.Path).Should().ContainSingle();
    }
}
