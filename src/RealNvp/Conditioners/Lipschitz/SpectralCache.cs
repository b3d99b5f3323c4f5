using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The singular vectors of a weight in evaluation, kept as long as weight
/// and buffers hold the same numbers. Any number of threads may ask.</summary>
/// <remarks>It looks at the numbers themselves, so that whoever changes a weight, an optimizer,
/// a file or a hand, needs to tell nobody. On a device nothing is kept.</remarks>
internal sealed class SpectralCache
{
    private readonly Lock gate = new();
    private Tensor[] keys = [];
    private (Tensor Left, Tensor Right) kept;

    /// <summary>The vectors, found anew if the weight or the buffers have changed.
    /// They are the cache's: they live until the next change.</summary>
    public (Tensor Left, Tensor Right) Of(Tensor weight, Tensor u, Tensor v, Func<(Tensor Left, Tensor Right)> find)
    {
        using var gradients = no_grad();
        if (weight.device_type != DeviceType.CPU) return find();
        lock (gate)
        {
            if (keys is [var w, var a, var b] && Same(w, weight) && Same(a, u) && Same(b, v)) return kept;
            using var scope = NewDisposeScope();
            using var mode = inference_mode(false);
            var (left, right) = find();
            Forget();
            kept = (left.DetachFromDisposeScope(), right.DetachFromDisposeScope());
            keys = [.. new[] { weight, u, v }.Select(t => t.detach().clone().DetachFromDisposeScope())];
            return kept;
        }
    }

    /// <summary>Frees what is kept.</summary>
    public void Clear()
    {
        lock (gate) Forget();
    }

    private void Forget()
    {
        foreach (var key in keys) key.Dispose();
        if (keys.Length > 0)
        {
            kept.Left.Dispose();
            kept.Right.Dispose();
        }
        keys = [];
    }

    private static unsafe bool Same(Tensor a, Tensor b)
    {
        var bytes = a.numel() * a.element_size();
        if (!KernelMemory.TryGet(a.Handle, b.dtype, b.numel(), out var one)
                || !KernelMemory.TryGet(b.Handle, a.dtype, a.numel(), out var two))
            return false;
        var same = new ReadOnlySpan<byte>(one, checked((int)bytes)).SequenceEqual(new ReadOnlySpan<byte>(two, (int)bytes));
        GC.KeepAlive(a);
        GC.KeepAlive(b);
        return same;
    }
}
