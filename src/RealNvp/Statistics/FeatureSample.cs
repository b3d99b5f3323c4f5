using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>The quantiles of each feature of examples that come in batches: of all of
/// them, or of a random sample where they are many. In float64 on the CPU.</summary>
internal sealed class FeatureSample : IDisposable
{
    private const long Elements = 1 << 22, MostRows = 1 << 17;

    private readonly Random random = new(1);
    private readonly List<Tensor> parts = [];
    private Tensor? rows;
    private long seen, kept, most;

    /// <summary>Adds examples (N, ...), of which it keeps each with the same probability (Vitter's algorithm R).</summary>
    public void Add(Tensor batch)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        if (batch.shape[0] == 0) return;
        var x = FeatureMoments.Wide(batch.flatten(1), CPU);
        if (most == 0) most = Math.Clamp(Elements / Math.Max(1, x.shape[1]), 256, MostRows);
        var fill = Math.Min(most - kept, x.shape[0]);
        if (fill > 0) parts.Add(scope.Detach(x.narrow(0, 0, fill).clone()));
        (kept, seen) = (kept + fill, seen + fill);
        if (fill == x.shape[0]) return;
        var places = new Dictionary<long, long>();
        for (var i = fill; i < x.shape[0]; i++)
        {
            var place = random.NextInt64(++seen);
            if (place < most) places[place] = i;
        }
        if (places.Count == 0) return;
        Join();
        rows!.index_copy_(0, tensor(places.Keys.ToArray()), x.index_select(0, tensor(places.Values.ToArray())));
    }

    /// <summary>The quantiles (count of probabilities, D), linear between neighbours. The caller disposes them.</summary>
    public Tensor Quantiles(params double[] probabilities)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Join();
        var (sorted, _) = rows!.sort(0);
        return scope.MoveToOuter(stack(probabilities.Select(p =>
        {
            var at = p * (kept - 1);
            var (low, high) = ((long)Math.Floor(at), (long)Math.Ceiling(at));
            using var share = Scalars.New(at - low);
            return sorted[low].add(sorted[high].sub(sorted[low]), share);
        }), 0));
    }

    /// <summary>Joins the samples of all processes, each of which has some of the examples, at least one: all of them if they are few,
    /// else as many of each process as its part in all examples. All have the same then.</summary>
    public void Join(ProcessGroup group)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        Join();
        var counts = group.Gather(tensor([kept, (double)seen])).FetchDoubles();
        double[] keeps = [.. counts.Where((_, i) => i % 2 == 0)], sees = [.. counts.Where((_, i) => i % 2 == 1)];
        var fits = keeps.Sum() <= most;
        var shares = keeps.Zip(sees, (keep, see) => (long)(fits ? keep : Math.Min(keep, most * see / sees.Sum()))).ToArray();
        var own = shares[group.Rank];
        var chosen = own == kept ? rows! : rows!.index_select(0, tensor([.. Enumerable.Range(0, (int)own).Select(i => i * kept / own)]));
        var all = zeros([shares.Sum(), rows!.shape[1]], ScalarType.Float64, CPU);
        if (own > 0) all.narrow(0, shares.Take(group.Rank).Sum(), own).copy_(chosen);
        rows.Dispose();
        rows = scope.Detach(group.Sum(all));
        (kept, seen) = (rows.shape[0], (long)sees.Sum());
    }

    public void Dispose()
    {
        parts.ForEach(p => p.Dispose());
        rows?.Dispose();
    }

    private void Join()
    {
        if (parts.Count == 0) return;
        if (rows is not null) parts.Insert(0, rows);
        rows = cat(parts).DetachFromDisposeScope();
        parts.ForEach(p => p.Dispose());
        parts.Clear();
    }
}
