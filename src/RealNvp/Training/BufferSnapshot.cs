using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Copies of the buffers of a module's batch normalizations, so that statistics that a failed step has spoiled can be put back.</summary>
internal sealed class BufferSnapshot : IDisposable
{
    private readonly (Tensor Live, Tensor Copy)[] buffers;

    public BufferSnapshot(nn.Module module)
    {
        using var _ = no_grad();
        buffers = [.. module.modules().Append(module).Where(m => m is FlowBatchNorm or ChannelBatchNorm)
            .SelectMany(m => m.named_buffers(recurse: false)).Select(b => (b.buffer, b.buffer.clone().DetachFromDisposeScope()))];
    }

    public void Save()
    {
        foreach (var (live, copy) in buffers) Copy(live, copy);
    }

    public void Restore()
    {
        foreach (var (live, copy) in buffers) Copy(copy, live);
    }

    /// <summary>As <see cref="Restore"/> where a gate is closed; else nothing changes. No number leaves the device.</summary>
    public void RestoreUnlessOpen(StepGate gate)
    {
        using var _ = no_grad();
        foreach (var (live, copy) in buffers)
        {
            using var scope = NewDisposeScope();
            gate.Keep(live, copy);
        }
    }

    public void Dispose()
    {
        foreach (var (_, copy) in buffers) copy.Dispose();
    }

    // Once a step for each buffer: a copy_ costs a microsecond and more, a copy of memory some nanoseconds.
    private static unsafe void Copy(Tensor from, Tensor to)
    {
        var (type, count) = (from.dtype, from.numel());
        if (KernelGradients.TryGetMemory(from.Handle, type, count, out var source) && KernelGradients.TryGetMemory(to.Handle, type, count, out var target))
        {
            var bytes = count * from.ElementSize;
            Buffer.MemoryCopy(source, target, bytes, bytes);
            return;
        }
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        to.copy_(from);
    }
}
