namespace RealNvp.PublicTests;

/// <summary>A caller who has never seen a tensor: docs/tables.md is this test in words.</summary>
public class NoTensorTests
{
    [Fact]
    public void Rows_are_fitted_scored_sampled_saved_and_loaded_in_five_lines()
    {
        var rows = Rows(300);
        var path = Path.Combine(Path.GetTempPath(), $"realnvp-public-{Guid.NewGuid():N}.safetensors");
        try
        {
            using var model = FlowModel.Fit(rows, options: new FitOptions { Training = new TrainingOptions { Epochs = 3 } });
            double[] scores = model.LogProb(rows);
            double[,] samples = model.SampleArray(10, seed: 1);
            model.Save(path);
            using var again = FlowModel.Load(path);

            scores.Should().HaveCount(300).And.OnlyContain(s => double.IsFinite(s));
            samples.GetLength(0).Should().Be(10);
            samples.GetLength(1).Should().Be(3);
            again.LogProb(rows).Should().Equal(scores);
            again.SampleArray(10, seed: 1).Cast<double>().Should().Equal(samples.Cast<double>());
            model.Report!.ToString().Should().Contain("held-out rows");
        }
        finally { File.Delete(path); }
    }

    private static double[,] Rows(int count)
    {
        var random = new Random(1);
        var rows = new double[count, 3];
        for (var i = 0; i < count; i++)
        {
            var angle = random.NextDouble() * 2 * Math.PI;
            (rows[i, 0], rows[i, 1], rows[i, 2]) = (Math.Cos(angle), Math.Sin(angle) * 100, random.NextDouble());
        }
        return rows;
    }
}
