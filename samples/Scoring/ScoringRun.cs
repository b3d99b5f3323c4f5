using System.Diagnostics;
using System.Globalization;
using TorchSharp;

namespace RealNvp.Samples.Scoring;

/// <summary>Makes a table, fits a flow to a part of it, and scores all of it from SQL.</summary>
/// <param name="Rows">The rows of the table.</param>
/// <param name="Threads">Threads of DuckDB's, each of which scores.</param>
/// <param name="Megabytes">The memory that DuckDB may take.</param>
/// <param name="Output">The folder of tables and model.</param>
/// <param name="Epochs">Passes of the training over 20,000 rows.</param>
internal sealed record ScoringRun(long Rows, int Threads, int Megabytes, string Output, int Epochs = 5)
{
    private const int ForTraining = 20_000, ForCsv = 200_000;
    private static readonly string[] columns = ["a", "b", "c", "d", "e", "f"];
    private static readonly string all = string.Join(", ", columns);

    /// <summary>Runs it.</summary>
    /// <param name="output">Where to say what came.</param>
    public int Run(TextWriter output)
    {
        // DuckDB scores on several threads; threads of torch's would fight with these for the cores
        torch.set_num_threads(1);
        Directory.CreateDirectory(Output);
        var (parquet, csv, rarest) = (In("rows.parquet"), In("rows.csv"), In("rarest.parquet"));
        using var database = new Database(Threads, Megabytes);
        void Say(FormattableString line) => output.WriteLine(line.ToString(CultureInfo.InvariantCulture));

        var watch = Stopwatch.StartNew();
        database.Run($"COPY ({Made}) TO {parquet} (FORMAT parquet)");
        var (made, file) = (watch.Elapsed.TotalSeconds, Path.Combine(Output, "rows.parquet"));
        Say($"{Rows:N0} rows of {columns.Length} columns in {file}: {Size("rows.parquet"):N0} MB, made in {made:N0} s");

        using var flow = Model(database, parquet);
        FlowFunction.Register(database.Connection, flow);
        var alone = Alone(flow, database.Rows($"SELECT {all} FROM {parquet} LIMIT 2048"), Math.Clamp(Rows / 100, 100, 2000));
        Say($"the flow alone, one thread, 2048 rows a call: {alone:N0} rows a second");

        watch.Restart();
        var mean = Convert.ToDouble(database.Run($"SELECT avg(log_prob({all})) FROM {parquet}"), CultureInfo.InvariantCulture);
        Told("Parquet from SQL", Rows, watch);
        Say($"mean log-density {mean:F4}, memory at most {Peak:N0} MB");

        // a table with the scores beside the rows, and the rarest of them
        watch.Restart();
        database.Run($"COPY (SELECT id, log_prob({all}) AS log_prob FROM {parquet} ORDER BY log_prob LIMIT 100) TO {rarest} (FORMAT " +
            $"parquet)");
        Told("100 rarest rows to Parquet", Rows, watch);
        Say($"the rarest: row {database.Run($"SELECT id FROM {rarest} ORDER BY log_prob LIMIT 1")}");

        var some = Math.Min(Rows, ForCsv);
        database.Run($"COPY (SELECT * FROM {parquet} WHERE id < {some.ToString(CultureInfo.InvariantCulture)}) TO {csv}");
        watch.Restart();
        database.Run($"SELECT avg(log_prob({all})) FROM {csv}");
        Told("CSV from SQL", some, watch);
        Say($"memory at most {Peak:N0} MB; DuckDB may take {Megabytes} MB of it");
        return 0;

        void Told(string what, long rows, Stopwatch time)
        {
            var rate = rows / time.Elapsed.TotalSeconds;
            Say($"{what}: {rate:N0} rows a second on {Threads} thread(s), {rate / alone:N2} times the flow alone");
        }
    }

    /// <summary>The largest memory of this process so far, in megabytes: tables, libtorch and all.</summary>
    private static long Peak
    {
        get
        {
            using var me = Process.GetCurrentProcess();
            return me.PeakWorkingSet64 >> 20;
        }
    }

    // columns that hang together; the same in each run
    private string Made => string.Create(CultureInfo.InvariantCulture, $"""
        SELECT id, a::FLOAT AS a, (sin(3 * a) + 0.1 * r2)::FLOAT AS b, (a * r3)::FLOAT AS c, (r3 + 0.1 * r4)::FLOAT AS d,
               (a * a + 0.2 * r5)::FLOAT AS e, r6::FLOAT AS f
        FROM (SELECT i AS id, 2 * {Noise(1)} - 1 AS a, {Noise(2)} AS r2, {Noise(3)} AS r3, {Noise(4)} AS r4, {Noise(5)} AS r5,
                     {Noise(6)} AS r6 FROM range({Rows}) t(i))
        """);

    // in [0, 1), of the number of the row
    private static string Noise(int column) => string.Create(CultureInfo.InvariantCulture, $"((hash(i, {column}) % 1000003) / 1000003.0)");

    private FlowModel Model(Database database, string parquet)
    {
        var training = database.Rows($"SELECT {all} FROM {parquet} WHERE id < {ForTraining.ToString(CultureInfo.InvariantCulture)}");
        var options = RealNvpOptions.Tabular(columns.Length, training.GetLength(0)) with { Hidden = 32 };
        return FlowModel.Fit(training, options: new FitOptions
        {
            Model = options, Columns = columns, Training = new TrainingOptions { Epochs = Epochs, BatchSize = 256 },
        });
    }

    private static double Alone(Flow flow, double[,] rows, long time)
    {
        var scores = new double[rows.GetLength(0)];
        flow.LogProbInto(rows, scores);
        var (watch, done) = (Stopwatch.StartNew(), 0L);
        while (watch.ElapsedMilliseconds < time) done += flow.LogProbInto(rows, scores);
        return done / watch.Elapsed.TotalSeconds;
    }

    private string In(string name) => Database.Text(Path.Combine(Output, name));

    private double Size(string name) => new FileInfo(Path.Combine(Output, name)).Length / 1e6;
}
