using System.Runtime.ExceptionServices;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training.Exchange;

/// <summary>Processes that are threads of this one: what they say is added up in the order of their ranks.</summary>
public sealed class ThreadExchange : IOverlappingExchange
{
    private readonly Meeting meeting;

    // what has begun, and a copy of it: nobody may touch it before it has ended
    private readonly List<(Tensor Bucket, Tensor Copy)> begun = [];

    private Tensor? given;

    private ThreadExchange(Meeting meeting, int rank) => (this.meeting, Rank) = (meeting, rank);

    public int Rank { get; }

    public int Size => meeting.Size;

    /// <summary>What was asked for, as text: the same on all.</summary>
    public List<string> Calls { get; } = [];

    /// <summary>Why this process ended the work of all; null if it did not.</summary>
    public string? Aborted { get; private set; }

    /// <summary>Runs something once for each of some processes at the same time, and gives what came of it, by rank.</summary>
    public static T[] Run<T>(int size, Func<ThreadExchange, T> work)
    {
        var (results, faults) = RunAll(size, work);
        if (faults.FirstOrDefault(f => f is not null and not BrokenException) is { } fault) ExceptionDispatchInfo.Throw(fault);
        if (faults.FirstOrDefault(f => f is not null) is { } broken) ExceptionDispatchInfo.Throw(broken);
        return results;
    }

    /// <summary>As <see cref="Run"/>, with what each process threw.</summary>
    public static (T[] Results, Exception?[] Faults) RunAll<T>(int size, Func<ThreadExchange, T> work)
    {
        var meeting = new Meeting(size);
        var (results, faults, exchanges) = (new T[size], new Exception?[size], new ThreadExchange[size]);
        var threads = Enumerable.Range(0, size).Select(rank => new Thread(() =>
        {
            var exchange = exchanges[rank] = new ThreadExchange(meeting, rank);
            try { results[rank] = work(exchange); }
            catch (Exception e)
            {
                faults[rank] = e;
            }
        })).ToArray();
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads)
            thread.Join(TimeSpan.FromSeconds(120)).Should().BeTrue("a process that waits for ever is what an exchange must prevent");
        foreach (var exchange in exchanges) exchange.given?.Dispose();
        return (results, faults);
    }

    public void Sum(Tensor bucket)
    {
        bucket.is_contiguous().Should().BeTrue();
        Calls.Add($"sum {bucket.dtype} {bucket.numel()}");
        using var _ = no_grad();
        var all = Meet($"sum {bucket.dtype} {bucket.numel()}", bucket);
        using var total = all[0].clone().DetachFromDisposeScope();
        for (var rank = 1; rank < Size; rank++) total.add_(all[rank]);
        bucket.copy_(total);
    }

    public void BeginSum(Tensor bucket)
    {
        Calls.Add($"begin {bucket.dtype} {bucket.numel()}");
        bucket.device_type.Should().Be(DeviceType.CPU);
        using var _ = no_grad();
        begun.Add((bucket.alias().DetachFromDisposeScope(), bucket.clone().DetachFromDisposeScope()));
    }

    public void EndSums()
    {
        Calls.Add("end");
        foreach (var (bucket, copy) in begun)
            using (bucket)
            using (copy)
            {
                bucket.bytes.SequenceEqual(copy.bytes).Should().BeTrue();
                Sum(bucket);
            }
        begun.Clear();
    }

    public void Broadcast(Tensor values, int root)
    {
        Calls.Add($"broadcast {values.dtype} {values.numel()} of {root}");
        using var _ = no_grad();
        values.copy_(Meet($"broadcast {values.dtype} {values.numel()} of {root}", values)[root]);
    }

    public void Barrier() => Meet("barrier", null);

    public void Abort(string reason)
    {
        Aborted = reason;
        meeting.Break($"process {Rank}: {reason}");
    }

    // once for each call: whoever comes to the next one has read what was given in this one, and it is freed then
    private Tensor[] Meet(string call, Tensor? value)
    {
        var own = value?.detach().clone().DetachFromDisposeScope();
        var all = meeting.Meet(Rank, call, own);
        given?.Dispose();
        given = own;
        return all;
    }

    public sealed class BrokenException(string message) : Exception(message);

    /// <summary>Where all come together for each call.</summary>
    private sealed class Meeting(int size)
    {
        private readonly object gate = new();
        private Tensor?[] given = new Tensor?[size];
        private readonly string[] asked = new string[size];
        private int here, round;
        private string? broken;

        public int Size => size;

        public Tensor[] Meet(int rank, string call, Tensor? value)
        {
            lock (gate)
            {
                if (broken is not null) throw new BrokenException(broken);
                // another array in each round: others may still read that of the last one
                if (here == 0) given = new Tensor?[size];
                var all = given;
                all[rank] = value;
                asked[rank] = call;
                var mine = round;
                if (++here == size)
                {
                    if (asked.Distinct().Count() != 1) broken = $"different calls: {string.Join(" | ", asked)}";
                    (here, round) = (0, round + 1);
                    Monitor.PulseAll(gate);
                }
                else
                    while (round == mine && broken is null)
                        if (!Monitor.Wait(gate, TimeSpan.FromSeconds(60))) broken = $"process {rank} waited for a minute in {call}";
                if (broken is not null)
                {
                    Monitor.PulseAll(gate);
                    throw new BrokenException(broken);
                }
                return all!;
            }
        }

        public void Break(string why)
        {
            lock (gate)
            {
                broken ??= why;
                Monitor.PulseAll(gate);
            }
        }
    }
}
