using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>
/// A tensor that is fixed by a layer's options, such as a mask. It follows the layer's dtype and device, but it is no part
/// of the state dict: TorchSharp has no non-persistent buffers that move with <c>.to()</c>.
/// </summary>
internal sealed class Constant : IDisposable
{
    public Constant(Tensor value)
    {
        // constants are made on the CPU, weights on the default device
        var device = get_default_device();
        Value = (device.type == DeviceType.CPU ? value : value.to(device)).DetachFromDisposeScope();
        Weights.Made(this);
    }

    public Tensor Value { get; private set; }

    public void To(ScalarType? dtype, Device? device)
    {
        var old = Value;
        var targetType = old.is_floating_point() && dtype is { } d ? d : old.dtype;
        var targetDevice = device ?? old.device;
        if (targetType == old.dtype && targetDevice.type == old.device_type && targetDevice.index == old.device_index) return;
        using var _ = no_grad();
        Value = old.to(targetType, targetDevice, copy: true).DetachFromDisposeScope();
        old.Dispose();
    }

    public void Dispose() => Value.Dispose();
}
