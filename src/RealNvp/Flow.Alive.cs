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
        if (disposed) throw new ObjectDisposedException(GetName(), $"The {GetName()} has been disposed. Keep it alive as long as you use it.");
    }

    /// <summary>Throws if the flow or a part of it is disposed.</summary>
    /// <exception cref="ObjectDisposedException">It is.</exception>
    internal void CheckAlive()
    {
        CheckDisposed();
        // the weights of a disposed layer are gone from these lists, or are left there without a tensor
        if (StateCount < stateCount || parameters().Concat(buffers()).Any(t => t.IsInvalid))
            throw new ObjectDisposedException(GetName(), $"A part of the {GetName()}, such as a layer, has been disposed. Keep it alive as long as you use the flow.");
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
