using RealNvp.Internal;
using static TorchSharp.torch;

namespace RealNvp;

/// <content>Tensors that follow the weights in dtype and device and are no part of the state.</content>
public abstract partial class Bijection
{
    private readonly Constants constants = new();
    private bool disposed;

    /// <summary>The floating-point dtype of the constants of this map and its parts; null if there are none.</summary>
    internal ScalarType? ConstantDtype =>
        modules().OfType<Bijection>().Append(this).Select(b => b.constants.Dtype).FirstOrDefault(d => d is not null);

    /// <summary>Adds a tensor that follows the module's dtype and device but is no part of its state.</summary>
    private protected Constant AddConstant(Tensor value) => constants.Add(value);

    /// <summary>Adds a constant, which follows the module's dtype and device but is no part of its state.</summary>
    private protected Constant AddConstant(Constant constant) => constants.Add(constant);

    /// <inheritdoc/>
    protected override void _toEpilog(ScalarType? dtype, Device? device, bool non_blocking)
    {
        base._toEpilog(dtype, device, non_blocking);
        constants.To(dtype, device);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        disposed = true;
        if (disposing) constants.Dispose();
        base.Dispose(disposing);
    }

    /// <summary>Whether the layer is not disposed.</summary>
    internal bool IsUsable => !disposed;

    /// <summary>Throws if the layer is disposed: its weights are gone, and
    /// a layer without any must not be taken for one that lives.</summary>
    internal void CheckAlive()
    {
        if (disposed) throw Check.Disposed(GetName());
    }
}
