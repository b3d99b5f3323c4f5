using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Benchmarks.Scaling;

/// <summary>Two processes that are threads of this one, and what the first one says: to count what a step exchanges.</summary>
internal sealed class PairExchange : IGradientExchange
{
    private readonly Tensor?[] given;
    private readonly Barrier meeting;

    private PairExchange(int rank, Tensor?[] given, Barrier meeting) => (Rank, this.given, this.meeting) = (rank, given, meeting);

    public int Rank { get; }

    public int Size => 2;

    /// <summary>The bytes of each sum.</summary>
    public List<long> Sums { get; } = [];

    /// <summary>Runs something on both.</summary>
    public static void Run(Action<PairExchange> work)
    {
        var given = new Tensor?[2];
        using var meeting = new Barrier(2);
        Exception? fault = null;
        var threads = Enumerable.Range(0, 2).Select(rank => new Thread(() =>
        {
            try { work(new(rank, given, meeting)); }
            catch (Exception e)
            {
                Interlocked.CompareExchange(ref fault, e, null);
                // the other one must not wait
                try { meeting.RemoveParticipant(); }
                catch (InvalidOperationException) { }
            }
        })).ToArray();
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads) thread.Join();
        if (fault is not null) throw new InvalidOperationException(fault.Message, fault);
    }

    public void Sum(Tensor bucket)
    {
        Sums.Add(bucket.numel() * bucket.ElementSize);
        using var gradients = no_grad();
        Meet(bucket, all => (all[0] + all[1]).DetachFromDisposeScope());
    }

    public void Broadcast(Tensor values, int root)
    {
        using var gradients = no_grad();
        Meet(values, all => all[root].clone().DetachFromDisposeScope());
    }

    public void Barrier() => meeting.SignalAndWait();

    public void Abort(string reason) { }

    // both compute the same of what both give
    private void Meet(Tensor own, Func<Tensor[], Tensor> of)
    {
        given[Rank] = own;
        meeting.SignalAndWait();
        using var result = of([given[0]!, given[1]!]);
        meeting.SignalAndWait();
        own.copy_(result);
        meeting.SignalAndWait();
    }
}
