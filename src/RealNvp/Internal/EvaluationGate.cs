using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>
/// Lets any number of threads compute in evaluation mode with modules whose own mode is training, and one thread compute in their own mode.
/// </summary>
/// <remarks>
/// <para>Networks of users and of TorchSharp ask their module whether it trains, so the mode of the modules
/// themselves has to change. The first thread that comes to evaluate notes the mode of each part and sets
/// evaluation, those that come then find it so, and the last one to leave puts the noted modes back. A
/// thread that computes in training mode waits until nobody evaluates, and the others wait for it.</para>
/// <para>Flows with a part in common share one gate, which also knows when nobody computes: weights are freed then and not before, so a
/// disposal on one thread does no harm to the calls of others. Both sides are reentrant on their thread. Nobody who is inside waits for
/// anybody, so there is no deadlock: a thread that comes to evaluate lets one that waits to train go first, but not for longer than a
/// second.</para>
/// </remarks>
internal sealed partial class EvaluationGate
{
    private const int Patience = 1000;

    private readonly object latch = new();

    // the threads that evaluate, each with the number of its calls inside each other
    private readonly Dictionary<int, int> readers = [];

    // the modes that parts come back to, of those that were set to evaluation, parents first
    private readonly Dictionary<nn.Module, bool> own = new(ReferenceEqualityComparer.Instance);

    private EvaluationGate? joined;
    private int writer, writing, waiting, sleeping;
    private bool switching;

    /// <summary>Computes with a flow in evaluation mode, whatever its mode is, until disposed.</summary>
    public static Scope Evaluate(IGated flow)
    {
        var me = Environment.CurrentManagedThreadId;
        var gate = Locked(flow.Gate);
        try
        {
            gate.Enter(me, flow);
            try { gate.SetEvaluation(flow); }
            catch
            {
                gate.Remove(me);
                throw;
            }
        }
        catch (ObjectDisposedException)
        {
            // of a part, which TorchSharp does not name
            flow.CheckAlive();
            throw;
        }
        finally { Monitor.Exit(gate.latch); }
        return new Scope(gate, Kind.Reads);
    }

    /// <summary>Computes with the weights of a flow, and without its modules, until disposed: whatever their mode is, it stays, and nobody
    /// trains meanwhile.</summary>
    public static Scope Read(IGated flow)
    {
        var gate = Locked(flow.Gate);
        try { gate.Enter(Environment.CurrentManagedThreadId, flow); }
        finally { Monitor.Exit(gate.latch); }
        return new Scope(gate, Kind.Reads);
    }

    /// <summary>Computes with a flow in its own mode until disposed: alone if a part of it trains.</summary>
    public static Scope Own(IGated flow) => Own(flow.Gate, flow);

    /// <summary>Computes with a part of a flow in its own mode until disposed, alone.</summary>
    public static Scope OwnPart(nn.Module part) => gates.TryGetValue(part, out var gate) ? Own(gate, null) : default;

    private static Scope Own(EvaluationGate of, IGated? flow)
    {
        var me = Environment.CurrentManagedThreadId;
        var gate = Locked(of);
        try
        {
            // inside of an evaluation it is one too
            if (gate.writer != me && (gate.readers.ContainsKey(me) || (flow is not null && !gate.Trains(flow))))
            {
                gate.Enter(me, flow);
                return new Scope(gate, Kind.Reads);
            }
            if (gate.writer != me)
            {
                gate.waiting++;
                try { while (gate.writer != 0 || gate.readers.Count > 0) gate.Sleep(); }
                finally { gate.waiting--; }
                flow?.CheckDisposed();
                gate.writer = me;
            }
            gate.writing++;
            return new Scope(gate, Kind.Writes);
        }
        finally { Monitor.Exit(gate.latch); }
    }

    /// <summary>Sets the mode of a flow: now, or if somebody evaluates, when the last one leaves.</summary>
    public static void SetMode(IGated flow, bool training)
    {
        var gate = Locked(flow.Gate);
        try
        {
            flow.PartsChanged();
            if (gate.switching)
            {
                flow.SetOwnMode(training);
                return;
            }
            if (gate.readers.Count > 0)
            {
                foreach (var part in flow.Parts) gate.own[part] = training;
                return;
            }
            while (gate.writer != 0 && gate.writer != Environment.CurrentManagedThreadId) gate.Sleep();
            if (gate.readers.Count > 0) foreach (var part in flow.Parts) gate.own[part] = training;
            else flow.SetOwnMode(training);
        }
        finally { Monitor.Exit(gate.latch); }
    }

    private void WaitToRead()
    {
        var since = Environment.TickCount64;
        while (writer != 0 || waiting > 0)
        {
            var left = Patience - (int)Math.Min(Patience, Environment.TickCount64 - since);
            if (writer != 0) Sleep();
            else if (left > 0) Sleep(left);
            else return;
        }
    }

    private void Sleep(int milliseconds = Timeout.Infinite)
    {
        sleeping++;
        try { Monitor.Wait(latch, milliseconds); }
        finally { sleeping--; }
    }

    // whether a part's own mode is training
    private bool Trains(IGated flow)
    {
        foreach (var part in flow.Parts)
            if (readers.Count > 0 && own.TryGetValue(part, out var mode) ? mode : part.training) return true;
        return false;
    }

    private void SetEvaluation(IGated flow)
    {
        var parts = flow.Parts;
        if (!Array.Exists(parts, static p => p.training)) return;
        foreach (var part in parts) own.TryAdd(part, part.training);
        switching = true;
        try { flow.SetOwnMode(training: false); }
        finally { switching = false; }
    }

    private void SetOwn()
    {
        if (own.Count == 0) return;
        switching = true;
        try
        {
            // train() reaches all below, so parents come first; a part of two flows
            // may need another round, and one that refuses a mode keeps its own
            for (var round = 0; round < 3; round++)
                foreach (var (part, mode) in own)
                    if (part.training != mode) part.train(mode);
        }
        finally
        {
            switching = false;
            own.Clear();
        }
    }

    // to evaluate; a call that has begun before a disposal ends well, and so do those inside of it
    private void Enter(int thread, IGated? flow)
    {
        if (writer != thread && !readers.ContainsKey(thread))
        {
            WaitToRead();
            flow?.CheckDisposed();
        }
        readers[thread] = readers.GetValueOrDefault(thread) + 1;
    }

    private bool IsUsedByOthers(int me) => readers.Keys.Any(r => r != me) || (writer != 0 && writer != me);

    private void Remove(int thread)
    {
        if (readers[thread] > 1)
        {
            readers[thread]--;
            return;
        }
        readers.Remove(thread);
        if (readers.Count > 0) return;
        try { SetOwn(); }
        finally { Left(); }
    }

    private void Leave(Kind kind)
    {
        if (kind == Kind.Holds)
        {
            Release();
            return;
        }
        lock (latch)
        {
            if (kind == Kind.Reads) Remove(Environment.CurrentManagedThreadId);
            else if (--writing == 0)
            {
                writer = 0;
                Left();
            }
        }
    }

    internal enum Kind
    {
        Reads,
        Writes,
        Holds,
    }

    /// <summary>One call on its thread; the default does nothing.</summary>
    public readonly struct Scope(EvaluationGate? gate, Kind kind) : IDisposable
    {
        public void Dispose() => gate?.Leave(kind);
    }
}
