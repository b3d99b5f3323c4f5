using System.Globalization;
using System.Text.RegularExpressions;
using global::Parquet;
using RealNvp.Samples.Common;
using RealNvp.Samples.Parquet;
using RealNvp.Samples.Scoring;
using RealNvp.Tests.Infrastructure;
using RealNvp.Tests.Mpi;
using RealNvp.Tests.Training.Exchange;
using TorchSharp;

namespace RealNvp.Tests.Samples;

/// <summary>Training from row groups of Parquet, alone and on several processes.</summary>
[Collection("Console")]
public class ParquetSampleTests
{
    // 21 row groups, of which the last is short: the lanes are not even
    private static readonly MadeTable made = new(Rows: 20 * 48 + 17, Columns: 3, GroupRows: 48);

    private static string Made(TemporaryFolder folder, MadeTable? table = null)
    {
        var path = folder.At("rows.parquet");
        (table ?? made).Write(path);
        return path;
    }

    private static double[][] Rows(LaneData data, int batchSize, long seed, long skip = 0)
    {
        var all = new List<double[]>();
        foreach (var batch in data.Batches(batchSize, seed, skip))
            using (batch)
            {
                var x = batch.X.to(torch.float64).data<double>().ToArray();
                all.Add(x);
            }
        return [.. all];
    }

    // all batches of all processes, step by step
    private static double[][] Together(string path, int size, long seed, long skip = 0)
    {
        var parts = Enumerable.Range(0, size).Select(rank =>
        {
            using var table = ParquetTable.Open(path, []);
            return Rows(LaneData.Deal(table, 0.1, rank, size).Train, 64 / size, seed, skip);
        }).ToArray();
        return [.. Enumerable.Range(0, parts.Max(p => p.Length))
            .Select(step => parts.SelectMany(p => step < p.Length ? p[step] : []).ToArray())];
    }

    [Fact]
    public void Batches_are_the_same_on_any_number_of_processes_and_each_row_comes_once_an_epoch()
    {
        using var folder = new TemporaryFolder();
        var path = Made(folder);
        var alone = Together(path, 1, seed: 5);
        foreach (var size in new[] { 2, 4, 8 })
        {
            var parted = Together(path, size, seed: 5);
            parted.Should().HaveSameCount(alone);
            for (var step = 0; step < alone.Length; step++) parted[step].Should().Equal(alone[step], $"step {step} of {size}");
        }
        Together(path, 1, seed: 6)[0].Should().NotEqual(alone[0]);
        // a resumed epoch begins where it was, also within a row group and beyond one
        foreach (var skip in new[] { 1, 3, 9 })
            Together(path, 2, seed: 5, skip).SelectMany(b => b).Should().Equal(alone.Skip(skip).SelectMany(b => b), $"skip {skip}");

        using var table = ParquetTable.Open(path, []);
        var (train, held) = LaneData.Deal(table, 0.1, 0, 1);
        var firsts = new[] { train, held }.SelectMany(d => Rows(d, 64, 5)).SelectMany(b => b.Chunk(3)).Select(r => (r[0], r[1])).ToArray();
        firsts.Should().HaveCount((int)made.Rows).And.OnlyHaveUniqueItems();
        (train.Count + held.Count).Should().Be(made.Rows);
        train.InOrder().Sum(b => { using (b) return b.Count; }).Should().Be(train.Count);
        using (var whole = train.Whole()) whole.shape.Should().Equal(train.Count!.Value, 3);
        train.BatchesPerEpoch(64).Should().Be(alone.Length);
    }

    [Fact]
    public async Task A_process_reads_its_own_row_groups_and_no_others()
    {
        using var folder = new TemporaryFolder();
        var path = Made(folder);
        var places = new List<(long From, long To)>();
        await using (var reader = await ParquetReader.CreateAsync(path))
            places.AddRange(reader.Metadata!.RowGroups.Select(g => (g.Columns.Min(c => c.MetaData!.DataPageOffset),
                g.Columns.Max(c => c.MetaData!.DataPageOffset + c.MetaData.TotalCompressedSize))));
        var seen = new HashSet<int>();
        foreach (var rank in new[] { 0, 1 })
        {
            using var stream = new WatchedStream(path);
            using var table = ParquetTable.Open(path, [], _ => stream);
            var (train, held) = LaneData.Deal(table, 0.1, rank, 2);
            _ = (Rows(train, 64, 1), Rows(held, 64, 1));
            int[] own = [.. train.Groups.Concat(held.Groups)];
            var touched = Enumerable.Range(0, places.Count).Where(g => stream.Reads.Any(r => r.From < places[g].To && r.To
                > places[g].From));
            touched.Should().BeEquivalentTo(own, $"process {rank}");
            own.Should().OnlyContain(g => seen.Add(g));
        }
        seen.Should().HaveCount(places.Count);
    }

    private static TrainingResult[] Train(int size, ParquetTraining how) => ThreadExchange.Run(size, exchange =>
        (how with { Exchange = size == 1 ? null : exchange }).Run(TextWriter.Null));

    private static void Agree(TrainingResult some, TrainingResult other)
    {
        some.Step.Should().Be(other.Step);
        foreach (var (a, b) in some.History.Zip(other.History))
        {
            a.Loss.Should().BeApproximately(b.Loss, 1e-4);
            a.ValidationLoss!.Value.Should().BeApproximately(b.ValidationLoss!.Value, 1e-4);
        }
    }

    [Fact]
    public void Several_processes_train_to_the_losses_of_one_and_a_training_goes_on()
    {
        using var folder = new TemporaryFolder();
        var how = new ParquetTraining { Data = Made(folder), Epochs = 3, Batch = 64, Layers = 2, Hidden = 8, Output = folder.At("out") };
        var alone = Train(1, how)[0];
        alone.History.Should().HaveCount(3);
        alone.History[2].Loss.Should().BeLessThan(alone.History[0].Loss);
        foreach (var size in new[] { 2, 4 })
            foreach (var result in Train(size, how)) Agree(result, alone);
        using (var model = FlowModel.Load(folder.At("out/model.safetensors"))) model.InputShape.NumElements.Should().Be(3);

        Train(2, how with { Epochs = 2, Output = folder.At("again") });
        foreach (var result in Train(4, how with { Resume = true, Output = folder.At("again") })) Agree(result, alone);

        // rows in memory are mixed over all row groups: another order, and still that of one process
        Agree(Train(2, how with { InMemory = true })[1], Train(1, how with { InMemory = true })[0]);
    }

    [Fact]
    public void The_sample_says_what_it_reads_how_fast_and_in_what_memory()
    {
        using var folder = new TemporaryFolder();
        using var output = new StringWriter();
        new ParquetTraining { Epochs = 1, Batch = 8192, Layers = 2, Hidden = 8, Output = folder.Path }.Run(output);
        output.ToString().Should().Contain("200,000 rows of 8 columns, 40 row groups, 6 MB in memory")
            .And.MatchRegex("reads 40 row groups, 8 of them for validation").And.MatchRegex(@"held-out log-likelihood -?\d")
            .And.MatchRegex(@"[\d,]+ rows a second").And.MatchRegex(@"memory of a process at most [\d,]+ MB");
    }

    // the commands of the sample's README. Linux holds a process to such a limit; a table of 1 GB is written for it
    [SlowFact]
    public void A_table_that_is_larger_than_the_memory_of_a_process_trains_by_row_groups_on_one_and_two_and_not_in_memory()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the limit of memory (ulimit -d) is one of Linux");
        using var folder = new TemporaryFolder();
        Assert.SkipUnless(new DriveInfo(folder.Path).AvailableFreeSpace > 3L << 30, "3 GB of disk are needed for a table of 1 GB");
        const int LimitKilobytes = 900_000;
        MadeTable large = new(Rows: 500_000, Columns: 512, GroupRows: 2_000);
        (large.Rows * large.Columns * sizeof(float)).Should().BeGreaterThan(LimitKilobytes * 1024L);
        var path = Made(folder, large);
        // one arena: those of other threads reserve memory that counts and is not used
        (int Code, string Said) Train(string[] launch, params string[] more) => MpiRun.Program([.. launch, "sh", "-c",
            $"ulimit -c 0 && ulimit -d {LimitKilobytes} && exec \"$@\"", "sh", "dotnet", MpiRun.Sample("Parquet"), "--data", path,
            "--epochs", "1", "--layers", "2", "--hidden", "8", "--out", folder.At("out"), .. more], folder.Path,
            ("DOTNET_GCHeapHardLimit", "0x10000000"), ("MALLOC_ARENA_MAX", "1"));
        double HeldOut((int Code, string Said) run)
        {
            run.Code.Should().Be(0, run.Said);
            run.Said.Should().MatchRegex(@"held-out log-likelihood -?\d");
            return double.Parse(Regex.Match(run.Said, @"held-out log-likelihood (-?[\d.]+)").Groups[1].Value, CultureInfo.InvariantCulture);
        }
        var alone = HeldOut(Train([]));
        // the same rows are too many to be held at once, so the limit is one
        var (code, said) = Train([], "--in-memory");
        code.Should().NotBe(0, said);
        said.Should().Contain("can't allocate memory");
        // each of two processes has the same limit
        MpiRun.Need("mpirun.openmpi");
        HeldOut(Train(MpiRun.Launch("mpirun.openmpi", 2), "--mpi")).Should().BeApproximately(alone, 0.01 * Math.Abs(alone));
    }

    [Fact]
    public void Numbers_of_all_types_are_read_and_other_columns_are_left_out()
    {
        using var folder = new TemporaryFolder();
        using var database = new Database(threads: 1, megabytes: 128);
        var path = folder.At("mixed.parquet");
        void Write(string columns) => database.Run(
            $"COPY (SELECT {columns} FROM range(5000) t(i)) TO {Database.Text(path)} (FORMAT parquet, ROW_GROUP_SIZE 2048)");
        Write("i::FLOAT AS a, (i / 2)::DOUBLE AS b, (i % 7)::INTEGER AS c, i::BIGINT AS d, i::VARCHAR AS e");
        using (var table = ParquetTable.Open(path, ["d"]))
        {
            table.Columns.Should().Equal("a", "b", "c");
            table.Others.Should().Equal("e");
            table.GroupRows.Sum().Should().Be(5000);
            var values = new float[3 * table.GroupRows[1]];
            table.Read(1, values);
            var first = table.GroupRows[0];
            values[..3].Should().Equal(first, first + 1, first + 2);
            values[table.GroupRows[1]].Should().Be(first / 2f);
            values[2 * table.GroupRows[1]].Should().Be(first % 7);
        }
        Write("CASE WHEN i = 4000 THEN NULL ELSE i::DOUBLE END AS a");
        using (var table = ParquetTable.Open(path, []))
        {
            var (group, row) = (0, 4000);
            while (row >= table.GroupRows[group]) row -= table.GroupRows[group++];
            table.Read(0, new float[table.GroupRows[0]]);
            table.Invoking(t => t.Read(group, new float[t.GroupRows[group]])).Should().Throw<DataFormatException>()
                .WithMessage($"*column a is NULL in row {row} of row group {group}*--ignore*");
            FluentActions.Invoking(() => LaneData.Deal(table, 0.1, 0, 1)).Should().Throw<DataFormatException>()
                .WithMessage($"*{table.GroupRows.Count} row groups*at least 16*");
        }
        Write("i::VARCHAR AS e");
        FluentActions.Invoking(() => ParquetTable.Open(path, [])).Should().Throw<DataFormatException>()
            .WithMessage("*no column of numbers*e*");
    }

    [Fact]
    public void What_cannot_be_trained_on_is_said_before_any_work()
    {
        using var folder = new TemporaryFolder();
        var path = Made(folder);
        var how = new ParquetTraining { Data = path, Output = folder.At("out") };
        how.Invoking(h => (h with { Batch = 100 }).Run(TextWriter.Null)).Should().Throw<ArgumentException>().WithMessage("*multiple of 8*");
        how.Invoking(h => (h with { Ignore = ["y"] }).Run(TextWriter.Null)).Should().Throw<DataFormatException>()
            .WithMessage("*no column y*x0, x1, x2*");
        using (var table = ParquetTable.Open(path, []))
            FluentActions.Invoking(() => LaneData.Deal(table, 0.1, 0, 3)).Should().Throw<ArgumentException>()
                .WithMessage("*3 processes*1, 2, 4 or 8*");
        File.WriteAllText(folder.At("no.parquet"), "a,b\n1,2\n");
        how.Invoking(h => (h with { Data = folder.At("no.parquet") }).Run(TextWriter.Null)).Should().Throw<DataFormatException>()
            .WithMessage("*cannot be read as Parquet*");
        how.Invoking(h => (h with { Data = folder.At("none.parquet") }).Run(TextWriter.Null)).Should().Throw<FileNotFoundException>();
    }

    /// <summary>A file that remembers which of its bytes were asked for.</summary>
    private sealed class WatchedStream(string path) : Stream
    {
        private readonly FileStream file = File.OpenRead(path);

        public List<(long From, long To)> Reads { get; } = [];

        public override bool CanRead => true;

        public override bool CanSeek => true;

        public override bool CanWrite => false;

        public override long Length => file.Length;

        public override long Position { get => file.Position; set => file.Position = value; }

        public override int Read(byte[] buffer, int offset, int count)
        {
            var from = file.Position;
            var read = file.Read(buffer, offset, count);
            Reads.Add((from, from + read));
            return read;
        }

        public override long Seek(long offset, SeekOrigin origin) => file.Seek(offset, origin);

        public override void Flush() { }

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing) file.Dispose();
            base.Dispose(disposing);
        }
    }
}
