using static TorchSharp.torch;

namespace RealNvp.Internal;

/// <summary>
/// Gradients on and inference mode off on this thread until disposed, whatever the caller is in: a training
/// must be able to train. A tensor made in inference mode can never be trained or changed outside of it.
/// </summary>
internal readonly struct GradientMode : IDisposable
{
    private readonly IDisposable? inference, gradients;

    private GradientMode(bool on)
    {
        inference = inference_mode(!on);
        gradients = enable_grad(on);
    }

    public static GradientMode Enter() => new(on: true);

    public void Dispose()
    {
        gradients?.Dispose();
        inference?.Dispose();
    }

    /// <summary>Whether a tensor was made in inference mode. It is not changed.</summary>
    public static bool IsInference(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        using var mode = inference_mode(false);
        using var _ = no_grad();
        // libtorch has no public question for it in TorchSharp, but refuses
        // to change such a tensor in place; here there is nothing to change
        try { tensor.detach().flatten().narrow(0, 0, 0).zero_(); }
        catch (System.Runtime.InteropServices.ExternalException) { return true; }
        return false;
    }
}
