using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>One tensor for all constants that are equal, such as the mask that the
/// couplings of a scale have in common. It lives as long as one of them does.</summary>
/// <param name="elements">The number of its elements.</param>
/// <param name="make">Makes it anew, on the CPU, in any dtype that holds it exactly; in float32 and wider if it is floating-point.</param>
internal sealed class SharedConstant(long elements, Func<Tensor> make)
{
    private readonly Lock gate = new();
    private Tensor? held;
    private int holders;

    public void Hold()
    {
        lock (gate) holders++;
    }

    public void Release()
    {
        lock (gate)
        {
            if (--holders > 0) return;
            held?.Dispose();
            held = null;
        }
    }

    /// <summary>A tensor of the caller's over the common memory. Those who asked for another dtype or device before keep theirs.</summary>
    public Tensor Take(ScalarType dtype, Device device)
    {
        lock (gate)
        {
            using var scope = NewDisposeScope();
            // several models may share it, and one of them may be built in inference mode
            using var mode = inference_mode(false);
            using var gradients = no_grad();
            if (held is null || held.dtype != dtype || held.device_type != device.type || held.device_index != device.index)
            {
                Weights.PayConstant(elements);
                var made = make().to(dtype, device);
                held?.Dispose();
                held = made.DetachFromDisposeScope();
            }
            return held.alias().DetachFromDisposeScope();
        }
    }
}
