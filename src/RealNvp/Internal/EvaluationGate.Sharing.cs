using System.Runtime.CompilerServices;
using static TorchSharp.torch;

namespace RealNvp.Internal;

internal sealed partial class EvaluationGate
{
    private static readonly ConditionalWeakTable<nn.Module, EvaluationGate> gates = [];
    private static readonly Lock table = new();

    /// <summary>The gate of a flow's parts: that of a flow that has one of them too, else a new one.</summary>
    public static EvaluationGate Of(IEnumerable<nn.Module> parts)
    {
        lock (table)
        {
            EvaluationGate? shared = null;
            List<nn.Module> without = [];
            foreach (var part in parts)
            {
                if (!gates.TryGetValue(part, out var gate)) without.Add(part);
                else if (shared is null) shared = gate.Last;
                else shared.Join(gate.Last);
            }
            shared ??= new EvaluationGate();
            foreach (var part in without) gates.AddOrUpdate(part, shared);
            return shared;
        }
    }

    private EvaluationGate Last => joined is { } next ? next.Last : this;

    // who comes later takes the other gate; who is inside has to leave before
    private void Join(EvaluationGate other)
    {
        if (ReferenceEquals(other, this)) return;
        var me = Environment.CurrentManagedThreadId;
        var since = Environment.TickCount64;
        lock (other.latch)
        {
            while (other.IsUsedByOthers(me) || other.sleeping > 0)
            {
                if (Environment.TickCount64 - since > 10 * Patience)
                    throw new InvalidOperationException(
                        "Parts of this flow are parts of other flows, which are in use. Build it while nothing is computed with them.");
                Monitor.Wait(other.latch, 10);
            }
            other.joined = this;
            lock (latch)
            {
                // what is to be freed when the last one leaves goes where that one is
                foreach (var (thread, times) in other.holders) Hold(thread, times);
                other.holders.Clear();
                if (other.readers.Count > 0) return;
                atEnd.AddRange(other.atEnd);
                other.atEnd.Clear();
            }
        }
    }

    // the gate that holds now, entered
    private static EvaluationGate Locked(EvaluationGate gate)
    {
        while (true)
        {
            Monitor.Enter(gate.latch);
            if (gate.joined is not { } next) return gate;
            Monitor.Exit(gate.latch);
            gate = next;
        }
    }
}
