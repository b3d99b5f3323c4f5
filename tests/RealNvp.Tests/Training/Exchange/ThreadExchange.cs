using System.Runtime.ExceptionServices;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Tests.Training.Exchange;

/// <summary>Processes that are threads of this one: what they say is added up in the order of their ranks.</summary>
public sealed class ThreadExchange : IGradientExchange
{
    private readonly Meeting meeting;

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
        var (results, faults) = (new T[size], new Exception?[size]);
        var threads = Enumerable.Range(0, size).Select(rank => new Thread(() =>
        {
            try { results[rank] = work(new ThreadExchange(meeting, rank)); }
            catch (Exception e)
            {
                faults[rank] = e;
            }
        })).ToArray();
        foreach (var thread in threads) thread.Start();
        foreach (var thread in threads)
            thread.Join(TimeSpan.FromSeconds(120)).Should().BeTrue("a process that waits for ever is what an exchange must prevent");
        return (results, faults);
    }

    public void Sum(Tensor bucket)
    {
        bucket.is_contiguous().Should().BeTrue();
        Calls.Add($"sum {bucket.dtype} {bucket.numel()}");
        using var _ = no_grad();
        // disposed when all have read it
        using var own = bucket.detach().clone().DetachFromDisposeScope();
        var all = meeting.Meet(Rank, $"sum {bucket.dtype} {bucket.numel()}", own);
        using var total = all[0].clone().DetachFromDisposeScope();
        for (var rank = 1; rank < Size; rank++) total.add_(all[rank]);
        bucket.copy_(total);
        meeting.Meet(Rank, "taken", null);
    }

    public void Broadcast(Tensor values, int root)
    {
        Calls.Add($"broadcast {values.dtype} {values.numel()} of {root}");
        using var _ = no_grad();
        using var own = values.detach().clone().DetachFromDisposeScope();
        var all = meeting.Meet(Rank, $"broadcast {values.dtype} {values.numel()} of {root}", own);
        values.copy_(all[root]);
        meeting.Meet(Rank, "taken", null);
    }

    public void Barrier() => meeting.Meet(Rank, "barrier", null);

    public void Abort(string reason)
    {
        Aborted = reason;
        meeting.Break($"process {Rank}: {reason}");
    }

    public sealed class BrokenException(string message) : Exception(message);

    /// <summary>Where all come together for each call.</summary>
    private sealed class Meeting(int size)
    {
        private readonly object gate = new();
        private readonly Tensor?[] given = new Tensor?[size];
        private readonly string[] asked = new string[size];
        private int here, round;
        private string? broken;

        public int Size => size;

        public Tensor[] Meet(int rank, string call, Tensor? value)
        {
            lock (gate)
            {
                if (broken is not null) throw new BrokenException(broken);
                if (value is not null) given[rank] = value;
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
                return Array.ConvertAll(given, g => g!);
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
