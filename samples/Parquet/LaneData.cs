using System.Runtime.InteropServices;
using RealNvp.Samples.Common;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Samples.Parquet;

/// <summary>Row groups of a table as data to train on. Of each lane one row group is in memory, and no more.</summary>
/// <remarks>
/// <para>The row groups of a file are dealt to eight lanes, and a batch takes as many rows of each lane. So its rows come from eight
/// places of the file, and the batches are the same whether one process has all lanes or several have some each: the number of processes
/// changes nothing.</para>
/// <para>In each epoch a lane takes its row groups in another order, and the rows of each in another order.</para>
/// </remarks>
internal sealed class LaneData : TrainingData
{
    /// <summary>The number of lanes of all processes.</summary>
    public const int All = 8;

    // rows of a batch in which order does not matter
    private const int Together = 8192;

    private readonly ParquetTable table;
    private readonly (int Number, int[] Groups)[] lanes;

    private LaneData(ParquetTable table, IEnumerable<(int, int[])> lanes) => (this.table, this.lanes) = (table, [.. lanes]);

    public override long? Count => lanes.Sum(lane => Rows(lane.Groups));

    /// <summary>The row groups of this process.</summary>
    public IEnumerable<int> Groups => lanes.SelectMany(lane => lane.Groups).Order();

    /// <summary>Deals the row groups of a table to lanes, and gives those of one process.</summary>
    /// <param name="table">The table.</param>
    /// <param name="fraction">The part of the row groups of each lane that is held out, at least one: the last ones.</param>
    /// <param name="rank">The number of the process.</param>
    /// <param name="size">The number of processes, which divides that of lanes.</param>
    /// <exception cref="ArgumentException">The lanes cannot be shared by so many processes.</exception>
    /// <exception cref="DataFormatException">The file has too few row groups.</exception>
    public static (LaneData Train, LaneData HeldOut) Deal(ParquetTable table, double fraction, int rank, int size)
    {
        if (All % size != 0)
            throw new ArgumentException($"There are {size} processes; expected 1, 2, 4 or 8, which share {All} lanes of row groups.");
        if (table.GroupRows.Count < 2 * All)
            throw new DataFormatException(
                $"The table has {table.GroupRows.Count} row groups; expected at least {2 * All}, so that each of {All} lanes has one to " +
                $"train on and one to hold out. Write it with smaller row groups.");
        var groups = Enumerable.Range(0, table.GroupRows.Count).Where(g => table.GroupRows[g] > 0).ToLookup(g => g % All);
        var own = Enumerable.Range(All / size * rank, All / size).Select(lane =>
        {
            int[] mine = [.. groups[lane]];
            var held = Math.Max(1, (int)(fraction * mine.Length));
            return (Train: (lane, mine[..^held]), HeldOut: (lane, mine[^held..]));
        }).ToArray();
        return (new(table, own.Select(o => o.Train)), new(table, own.Select(o => o.HeldOut)));
    }

    public override long? BatchesPerEpoch(int batchSize)
    {
        var each = Each(batchSize);
        return lanes.Max(lane => (Rows(lane.Groups) + each - 1) / each);
    }

    /// <summary>The batches of an epoch.</summary>
    /// <param name="batchSize">The rows of this process: a multiple of its lanes.</param>
    public override IEnumerable<TrainingBatch> Batches(int batchSize, long seed, long skip)
    {
        var each = Each(batchSize);
        var cursors = lanes.Select(lane => new LaneCursor(table, lane.Number, lane.Groups, seed)).ToArray();
        foreach (var cursor in cursors) cursor.Skip(skip * each);
        while (Next(cursors, each) is { } x) yield return new TrainingBatch(x);
    }

    public override IEnumerable<TrainingBatch> InOrder()
    {
        foreach (var (number, groups) in lanes)
        {
            LaneCursor[] cursor = [new(table, number, groups, null)];
            while (Next(cursor, Together) is { } x) yield return new TrainingBatch(x);
        }
    }

    /// <summary>All rows of this process, (N, D), for a part that fits into memory.</summary>
    public Tensor Whole()
    {
        var all = empty([Count!.Value, table.Columns.Count]);
        var at = 0L;
        foreach (var batch in InOrder())
            using (batch)
            {
                using var place = all.narrow(0, at, batch.Count);
                place.copy_(batch.X);
                at += batch.Count;
            }
        return all;
    }

    private long Rows(int[] groups) => groups.Sum(g => (long)table.GroupRows[g]);

    private int Each(int batchSize) => Math.Max(1, batchSize / lanes.Length);

    // some rows of each lane, one after another; null at the end
    private Tensor? Next(LaneCursor[] cursors, int each)
    {
        var rows = cursors.Sum(cursor => Math.Min(each, cursor.Left));
        if (rows == 0) return null;
        var x = empty([rows, table.Columns.Count]).DetachFromDisposeScope();
        var into = MemoryMarshal.Cast<byte, float>(x.bytes);
        foreach (var cursor in cursors) into = into[cursor.Take(into, each)..];
        return x;
    }
}
