using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>A disposed module has no weights, which looks like a module that never had any: nobody may take it for one.</content>
public partial class Flow
{
    private readonly int stateCount;
    private volatile bool disposed;

    /// <summary>Throws if the flow is disposed, which is cheap.</summary>
    /// <exception cref="ObjectDisposedException">It is.</exception>
    internal void CheckDisposed()
    {
        if (disposed)
            throw new ObjectDisposedException(GetName(), $"The {GetName()} has been disposed. Keep it alive as long as you use it.");
    }

    /// <summary>Throws if the flow or a part of it is disposed.</summary>
    /// <exception cref="ObjectDisposedException">It is.</exception>
    internal void CheckAlive()
    {
        CheckDisposed();
        if (!IsAlive) throw PartIsGone(null);
    }

    /// <summary>As <see cref="CheckAlive"/>, and keeps the weights until disposed: for what is no single call of the flow.</summary>
    /// <exception cref="ObjectDisposedException">The flow or a part of it is disposed.</exception>
    internal EvaluationGate.Scope Held()
    {
        var held = EvaluationGate.Hold(this);
        try
        {
            CheckAlive();
            return held;
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    // the weights of a disposed layer are gone from these lists, or are left there without a tensor
    private bool IsAlive => ModuleLife.FirstDisposed(this) is null && StateCount >= stateCount
        && !parameters().Concat(buffers()).Any(t => t.IsInvalid);

    private ObjectDisposedException PartIsGone(Exception? cause)
    {
        var part = ModuleLife.FirstDisposed(this) is { } gone ? $"{gone.Path} ({ModuleLife.Name(gone.Module)})" : "such as a layer";
        var text = $"A part of the {GetName()}, {part}, has been disposed. Keep it alive as long as you use the flow.";
        return cause is null ? new ObjectDisposedException(GetName(), text) : new ObjectDisposedException(text, cause);
    }

    /// <summary>All weights and buffers, none of which is disposed.</summary>
    /// <exception cref="ObjectDisposedException">The flow or a part of it is.</exception>
    internal Dictionary<string, Tensor> LivingState()
    {
        CheckAlive();
        return state_dict();
    }

    /// <summary>Waits until no other thread computes with the flow or trains it, as before the process ends: what runs in native code
    /// then may crash it. Disposing the flow needs no waiting.</summary>
    /// <param name="timeout">How long to wait at most; <see cref="Timeout.InfiniteTimeSpan"/> for as long as it takes.</param>
    /// <returns>Whether nobody computes; false if the time was over before. Unless the flow is disposed, somebody may begin
    /// again.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The time is negative.</exception>
    public bool WaitForCalls(TimeSpan timeout)
    {
        if (timeout < TimeSpan.Zero && timeout != Timeout.InfiniteTimeSpan)
            throw new ArgumentOutOfRangeException(nameof(timeout), timeout,
                $"{GetName()}.{nameof(WaitForCalls)} takes a time of zero or more, or Timeout.InfiniteTimeSpan.");
        // without a gate nobody has come yet
        return gate is null || EvaluationGate.WaitForOthers(gate, timeout);
    }

    /// <summary>Frees the weights: at once, or if a thread computes with the flow, when its call has ended with its result. Later calls
    /// get an <see cref="ObjectDisposedException"/>.</summary>
    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (!disposing)
        {
            disposed = true;
            base.Dispose(false);
            return;
        }
        if (disposed) return;
        disposed = true;
        EvaluationGate.Free(KnownParts(), () => base.Dispose(true));
    }

    private nn.Module[] KnownParts()
    {
        try { return parts ?? FindParts(); }
        // a part is gone already
        catch (ObjectDisposedException) { return [this]; }
    }

    private int StateCount => parameters().Count() + buffers().Count();
}
