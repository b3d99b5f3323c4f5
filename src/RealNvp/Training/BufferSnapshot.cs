using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Copies of a module's buffers, so that statistics that a failed step has spoiled can be put back.</summary>
internal sealed class BufferSnapshot : IDisposable
{
    private readonly (Tensor Live, Tensor Copy)[] buffers;

    public BufferSnapshot(nn.Module module)
    {
        using var _ = no_grad();
        buffers = [.. module.modules().Append(module).Where(m => m is FlowBatchNorm or ChannelBatchNorm)
            .SelectMany(m => m.named_buffers(recurse: false)).Select(b => (b.buffer, b.buffer.clone().DetachFromDisposeScope()))];
    }

    public void Save() => Copy(b => (b.Live, b.Copy));

    public void Restore() => Copy(b => (b.Copy, b.Live));

    public void Dispose()
    {
        foreach (var (_, copy) in buffers) copy.Dispose();
    }

    private void Copy(Func<(Tensor Live, Tensor Copy), (Tensor From, Tensor To)> direction)
    {
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        foreach (var buffer in buffers)
        {
            var (from, to) = direction(buffer);
            to.copy_(from);
        }
    }
}
