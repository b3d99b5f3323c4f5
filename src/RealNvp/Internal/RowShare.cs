using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>
/// Which rows of a batch this process computes, where several share it. Noise is drawn for the whole batch, and each takes that of its
/// own rows, so the number of processes changes no number; statistics of a batch are those of all its rows.
/// </summary>
/// <remarks>It is a field of the thread, as noise and statistics are asked for where no argument reaches. Without one, nothing is
/// shared.</remarks>
/// <param name="Places">The places of the own rows among those of the whole batch, at least one, int64 on the CPU.</param>
/// <param name="Total">The number of rows of the whole batch.</param>
/// <param name="Counts">False if this process has none of its rows, and computes one of others so that it can take part in all
/// sums.</param>
internal sealed record RowShare(Tensor Places, long Total, bool Counts = true)
{
    [ThreadStatic] private static RowShare? current;

    /// <summary>That of the pass that runs on this thread; null if no batch is shared.</summary>
    public static RowShare? Current => current;

    /// <summary>Who has the other rows; null if nothing may be asked of them, as in a look for a fault by one alone.</summary>
    public ProcessGroup? Group { get; private init; }

    /// <summary>The sum of the weights of the whole batch; that of its rows without weights.</summary>
    public double Weight { get; init; } = Total;

    /// <summary>Whether batches have weights.</summary>
    public bool IsWeighted { get; init; }

    /// <summary>The number of own rows that count.</summary>
    public long Own => Counts ? Places.shape[0] : 0;

    /// <summary>The number of rows that a statistic of the batch is taken over.</summary>
    /// <param name="rows">The rows that this process has.</param>
    public static long Rows(long rows) => Exchanging?.Total ?? rows;

    /// <summary>Who has other rows of the batch; null if this process has all.</summary>
    public static RowShare? Exchanging => current is { Group: not null } share ? share : null;

    /// <summary>Those of some rows that are in a batch: the first of them, how many, and their places in the batch; the first row of
    /// all, which does not count, if there are none. In the caller's scope.</summary>
    /// <param name="places">The places of the rows among all, ascending; at least one.</param>
    /// <param name="start">The place where the batch begins.</param>
    /// <param name="total">The number of its rows.</param>
    public static (int First, int Count, RowShare Share) Within(long[] places, long start, long total)
    {
        int from = Below(places, start), count = Below(places, start + total) - from;
        return count == 0 ? (0, 1, new RowShare(zeros(1, ScalarType.Int64, CPU), total, Counts: false))
            : (from, count, new RowShare(tensor(places.AsSpan(from, count).ToArray()).sub(Scalars.Integer(start)), total));
    }

    /// <summary>Shares the batches of this thread until disposed; null changes nothing.</summary>
    public static Scope Enter(RowShare? share, ProcessGroup? group)
    {
        var scope = new Scope(current);
        if (share is not null) current = share with { Group = group };
        return scope;
    }

    /// <summary>Shares nothing until disposed: for numbers that are the same for all rows.</summary>
    public static Scope Pause()
    {
        var scope = new Scope(current);
        current = null;
        return scope;
    }

    /// <summary>Draws for all rows, and gives those of the own ones. The caller disposes the result.</summary>
    /// <param name="size">The shape that was asked for: own rows first.</param>
    /// <param name="draw">Draws a shape.</param>
    public Tensor Draw(ReadOnlySpan<long> size, Func<long[], Tensor> draw)
    {
        if (size.Length == 0 || size[0] != Places.shape[0])
            throw new InvalidOperationException(
                $"Noise of the shape {EventShape.Format(size)} was drawn in a training on several processes, where it must be of rows: " +
                $"({Places.shape[0]}, ...), as many as the layer was given. Such a layer cannot be trained on several processes.");
        using var scope = NewDisposeScope();
        using (Pause())
        {
            var all = draw([Total, .. size[1..]]);
            return scope.MoveToOuter(all.index_select(0, Places.to(all.device)));
        }
    }

    // the number of places below one
    private static int Below(long[] places, long place)
    {
        var found = Array.BinarySearch(places, place);
        return found < 0 ? ~found : found;
    }

    public readonly struct Scope(RowShare? previous) : IDisposable
    {
        public void Dispose() => current = previous;
    }
}
