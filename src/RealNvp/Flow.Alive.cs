using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>A disposed module has no weights, which looks like a module that never had any: nobody may take it for one.</content>
public partial class Flow
{
    private readonly int stateCount;
    private bool disposed;

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

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        disposed = true;
        base.Dispose(disposing);
    }

    private int StateCount => parameters().Count() + buffers().Count();
}
