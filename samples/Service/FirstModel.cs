using RealNvp.Extensions;

namespace RealNvp.Samples.Service;

/// <summary>The model of a first start: a small flow of points on a noisy spiral, trained in seconds.</summary>
internal static class FirstModel
{
    /// <summary>Trains and saves it.</summary>
    /// <param name="path">The file; its folder is made.</param>
    /// <param name="epochs">Passes over the rows.</param>
    public static void Train(string path, int epochs = 20)
    {
        using var logs = LoggerFactory.Create(log => log.AddSimpleConsole(o => o.SingleLine = true));
        var log = new TrainingLog(logs.CreateLogger(nameof(FirstModel)));
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        using var model = FlowModel.Fit(Rows(1500), options: new FitOptions
        {
            Columns = ["x", "y", "height"],
            Training = new TrainingOptions { Epochs = epochs, BatchSize = 128, Patience = 5 },
        }, progress: log);
        log.Write(model.Report!.Result);
        model.Save(path);
    }

    /// <summary>Rows of the data that it is trained on.</summary>
    public static double[,] Rows(int count, int seed = 1)
    {
        var random = new Random(seed);
        var rows = new double[count, 3];
        for (var i = 0; i < count; i++)
        {
            var angle = random.NextDouble() * 3 * Math.PI;
            (rows[i, 0], rows[i, 1], rows[i, 2]) = (angle * Math.Cos(angle) + Noise(), angle * Math.Sin(angle) + Noise(),
                10 * angle + Noise());
        }
        return rows;

        double Noise() => 0.5 * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
    }
}
