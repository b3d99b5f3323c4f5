using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>
/// A tensor that is fixed by a layer's options, such as a mask. It follows the layer's dtype and device, but it is no part
/// of the state dict: TorchSharp has no non-persistent buffers that move with <c>.to()</c>.
/// </summary>
internal sealed class Constant : IDisposable
{
    private readonly SharedConstant? shared;
    private ScalarType dtype;
    private Device device;
    private Tensor? value;
    private bool disposed;

    /// <summary>A constant of one layer.</summary>
    public Constant(Tensor value)
    {
        Weights.PayConstant(value.numel());
        // constants are made on the CPU, weights on the default device
        (dtype, device) = (value.dtype, get_default_device());
        this.value = (device.type == DeviceType.CPU ? value : value.to(device)).DetachFromDisposeScope();
        Weights.Made(this);
    }

    /// <summary>A constant of the default dtype that others have too. While a model
    /// is loaded, it is not made before the file has proved to fit.</summary>
    public Constant(SharedConstant shared)
    {
        this.shared = shared;
        (dtype, device) = (get_default_dtype(), get_default_device());
        shared.Hold();
        Weights.Made(this);
        if (!Weights.Defers(this)) Make();
    }

    public Tensor Value => value ?? Make();

    /// <summary>Makes a constant that was deferred.</summary>
    public Tensor Make()
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        return value ??= shared!.Take(dtype, device);
    }

    public void To(ScalarType? dtype, Device? device)
    {
        var targetType = dtype is { } d && IsFloatingPoint ? d : this.dtype;
        var targetDevice = device ?? this.device;
        if (targetType == this.dtype && targetDevice.type == this.device.type && targetDevice.index == this.device.index) return;
        (this.dtype, this.device) = (targetType, targetDevice);
        if (value is not { } old) return;
        using var _ = no_grad();
        value = shared?.Take(targetType, targetDevice) ?? old.to(targetType, targetDevice, copy: true).DetachFromDisposeScope();
        old.Dispose();
    }

    public void Dispose()
    {
        if (disposed) return;
        disposed = true;
        value?.Dispose();
        shared?.Release();
    }

    private bool IsFloatingPoint => dtype is ScalarType.Float16 or ScalarType.BFloat16 or ScalarType.Float32 or ScalarType.Float64;
}
