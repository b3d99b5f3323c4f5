using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <content>What has to wait until nobody computes: the end of a flow.</content>
internal sealed partial class EvaluationGate
{
    // the threads that hold flows, each with the number of times
    private readonly Dictionary<int, int> holders = [];
    private readonly List<Action> atEnd = [];

    private bool IsIdle => readers.Count == 0 && writer == 0 && holders.Count == 0;

    /// <summary>Keeps the weights of a flow until disposed, and lets everybody compute: for what uses them outside of calls, as
    /// a training does.</summary>
    /// <exception cref="ObjectDisposedException">The flow is disposed.</exception>
    public static Scope Hold(IGated flow)
    {
        var gate = Locked(flow.Gate);
        try
        {
            flow.CheckDisposed();
            gate.Hold(Environment.CurrentManagedThreadId, 1);
            return new Scope(gate, Kind.Holds);
        }
        finally { Monitor.Exit(gate.latch); }
    }

    /// <summary>Frees something when nobody computes with any of these modules: at once, or by the last one who leaves. It never
    /// waits, so that no two threads can wait for each other.</summary>
    public static void Free(IEnumerable<nn.Module> parts, Action free)
    {
        // one gate, unless the parts of a flow that was never used come from several that were
        var known = parts.Select(part => gates.TryGetValue(part, out var gate) ? gate.Last : null).OfType<EvaluationGate>();
        Free(new Queue<EvaluationGate>(known.Distinct()), free);
    }

    private static void Free(Queue<EvaluationGate> busy, Action free)
    {
        while (busy.TryDequeue(out var next))
        {
            var gate = Locked(next);
            try
            {
                if (!gate.IsIdle)
                {
                    gate.atEnd.Add(() => Free(busy, free));
                    return;
                }
                if (busy.Count > 0) continue;
                // nobody comes in the meantime
                free();
                return;
            }
            finally { Monitor.Exit(gate.latch); }
        }
        free();
    }

    /// <summary>Waits until no other thread computes with a flow.</summary>
    /// <returns>Whether that is so; false if the time was over before.</returns>
    public static bool WaitForOthers(EvaluationGate gate, TimeSpan time)
    {
        var since = Environment.TickCount64;
        var me = Environment.CurrentManagedThreadId;
        gate = Locked(gate);
        try
        {
            while (gate.IsUsedByOthers(me) || gate.holders.Keys.Any(h => h != me))
            {
                if (time == Timeout.InfiniteTimeSpan) gate.Sleep();
                else if (time.TotalMilliseconds - (Environment.TickCount64 - since) is > 0 and var left)
                    gate.Sleep((int)Math.Min(left, int.MaxValue));
                else return false;
            }
            return true;
        }
        finally { Monitor.Exit(gate.latch); }
    }

    private void Release()
    {
        var gate = Locked(this);
        try
        {
            gate.Hold(Environment.CurrentManagedThreadId, -1);
            gate.Left();
        }
        finally { Monitor.Exit(gate.latch); }
    }

    private void Hold(int thread, int times)
    {
        if (holders.GetValueOrDefault(thread) + times is not 0 and var count) holders[thread] = count;
        else holders.Remove(thread);
    }

    // somebody has left
    private void Left()
    {
        Monitor.PulseAll(latch);
        if (!IsIdle || atEnd.Count == 0) return;
        Action[] due = [.. atEnd];
        atEnd.Clear();
        foreach (var free in due) free();
    }
}
