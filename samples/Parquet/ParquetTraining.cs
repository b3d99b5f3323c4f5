using System.Diagnostics;
using System.Globalization;
using RealNvp.Samples.Common;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Samples.Parquet;

/// <summary>Fits a flow to a Parquet file, alone or with other processes, each of which reads its own row groups.</summary>
internal sealed record ParquetTraining
{
    public const string ModelFile = "model.safetensors", CheckpointFile = "checkpoint.safetensors";

    private const double HeldOut = 0.1;

    /// <summary>The file; null for one that is made in <see cref="Output"/>.</summary>
    public string? Data { get; init; }

    public IReadOnlyList<string> Ignore { get; init; } = [];

    public int Epochs { get; init; } = 5;

    public int Batch { get; init; } = 1024;

    public int Layers { get; init; } = 4;

    public int Hidden { get; init; } = 32;

    public int Seed { get; init; }

    public required string Output { get; init; }

    /// <summary>Go on from the checkpoint in <see cref="Output"/>.</summary>
    public bool Resume { get; init; }

    /// <summary>Reads the part of this process into memory first.</summary>
    public bool InMemory { get; init; }

    /// <summary>Other processes that train with this one; null for none.</summary>
    public IGradientExchange? Exchange { get; init; }

    /// <summary>Trains.</summary>
    /// <param name="output">Where to say what came.</param>
    public TrainingResult Run(TextWriter output)
    {
        if (Batch % LaneData.All != 0)
            throw new ArgumentException($"--batch is {Batch}; expected a multiple of {LaneData.All}, the lanes that rows come from.");
        void Say(FormattableString line) => output.WriteLine(line.ToString(CultureInfo.InvariantCulture));
        var path = Data ?? Path.Combine(Output, "rows.parquet");
        if (Exchange is not { Rank: > 0 })
        {
            Directory.CreateDirectory(Output);
            if (Data is null) new MadeTable(200_000, 8, 5_000).Write(path);
        }
        // the others wait for the file
        Exchange?.Barrier();

        using var scope = NewDisposeScope();
        using var table = ParquetTable.Open(path, Ignore);
        if (table.Others.Count > 0) Say($"Columns without numbers are left out: {string.Join(", ", table.Others)}");
        var (own, held) = LaneData.Deal(table, HeldOut, Exchange?.Rank ?? 0, Exchange?.Size ?? 1);
        var (rows, columns) = (table.GroupRows.Sum(r => (long)r), table.Columns.Count);
        var (megabytes, mine, theirs) = (rows * columns * sizeof(float) / 1e6, own.Groups.Count(), held.Groups.Count());
        Say($"{path}: {rows:N0} rows of {columns} columns, {table.GroupRows.Count} row groups, {megabytes:N0} MB in memory");
        Say($"{Exchange?.Size ?? 1} process(es); the first reads {mine + theirs} row groups, {theirs} of them for validation");

        using var trainer = Start(columns, rows);
        trainer.Exchange = Exchange;
        TrainingData Part(LaneData data)
        {
            TrainingData part = InMemory ? TrainingData.From(data.Whole()) : data;
            return Exchange is null ? part : part.AsShard();
        }
        var (training, validation, watch) = (Part(own), Part(held), Stopwatch.StartNew());
        var before = trainer.Step;
        var progress = new Report<TrainingProgress>(p =>
        {
            if (p.Batch == p.Batches) Say($"epoch {p.Epoch}: loss {p.Loss:F3}, {p.ExamplesPerSecond:N0} rows a second");
        });
        var result = trainer.Fit(training, validation, progress);
        var seconds = watch.Elapsed.TotalSeconds;
        foreach (var warning in result.Warnings) Say($"Take care: {warning}");
        var peaks = Peaks();
        if (Exchange is { Rank: > 0 }) return result;
        using var model = (FlowModel)trainer.Flow;
        model.Save(Path.Combine(Output, ModelFile));
        if (result.History is [.., { ValidationLoss: { } loss }])
            Say($"held-out log-likelihood {-loss:F3} nats a row, after {result.History.Count} epochs");
        Say($"{(result.Step - before) * (double)Batch / seconds:N0} rows a second");
        Say($"memory of a process at most {string.Join(", ", peaks.Select(p => p.ToString("N0", CultureInfo.InvariantCulture)))} MB");
        return result;
    }

    private Trainer Start(int columns, long rows)
    {
        var checkpoint = Path.Combine(Output, CheckpointFile);
        if (Resume) return Trainer.Resume(checkpoint, change: o => o with { Epochs = Epochs });
        var options = RealNvpOptions.Tabular(columns, rows) with { Layers = Layers, Hidden = Hidden };
        return new Trainer(options.NewModel(Seed), TrainingOptions.For(options) with
        {
            Epochs = Epochs, BatchSize = Batch, Seed = Seed, CheckpointPath = checkpoint, CheckpointEvery = 1,
        });
    }

    // the largest memory of each process so far, in megabytes: tables, libtorch and all
    private double[] Peaks()
    {
        using var me = Process.GetCurrentProcess();
        var all = new double[Exchange?.Size ?? 1];
        all[Exchange?.Rank ?? 0] = me.PeakWorkingSet64 >> 20;
        using var sum = tensor(all, dtype: ScalarType.Float64);
        Exchange?.Sum(sum);
        return [.. sum.data<double>()];
    }
}
