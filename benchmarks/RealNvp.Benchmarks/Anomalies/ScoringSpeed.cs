using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using static TorchSharp.torch;

namespace RealNvp.Benchmarks.Anomalies;

/// <summary>How many rows a detector with the defaults scores in a second.</summary>
internal static class ScoringSpeed
{
    private const int Rows = 200_000, Rounds = 7;

    public static Command Command()
    {
        var threads = new Option<int>("--threads") { DefaultValueFactory = _ => 2 };
        var columns = new Option<int[]>("--columns") { DefaultValueFactory = _ => [6, 16, 30], AllowMultipleArgumentsPerToken = true };
        var command = new Command("anomalies-speed", "Rows a second that AnomalyDetector scores.") { threads, columns };
        command.SetAction(parsed =>
        {
            set_num_threads(parsed.GetValue(threads));
            Console.WriteLine("| columns | weights | members | rows/s, median | rows/s, best |");
            Console.WriteLine("| ---: | ---: | ---: | ---: | ---: |");
            foreach (var count in parsed.GetRequiredValue(columns)) Measure(count);
            return 0;
        });
        return command;
    }

    private static void Measure(int columns)
    {
        var random = new Random(1);
        double[,] Table(int rows)
        {
            var table = new double[rows, columns];
            for (var i = 0; i < rows; i++)
                for (var c = 0; c < columns; c++) table[i, c] = random.NextDouble() + (c > 0 ? table[i, c - 1] : 0);
            return table;
        }
        using var detector = AnomalyDetector.Fit(Table(1_000), new AnomalyOptions { Training = new TrainingOptions { MaxSteps = 20 } });
        var rows = Table(Rows);
        var rates = new double[Rounds];
        for (var round = -2; round < Rounds; round++)
        {
            var clock = Stopwatch.StartNew();
            detector.Score(rows);
            if (round >= 0) rates[round] = Rows / clock.Elapsed.TotalSeconds;
        }
        Array.Sort(rates);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"| {columns} | {detector.Weights:N0} | {detector.Members} | {rates[Rounds / 2]:N0} | {rates[^1]:N0} |"));
    }
}
