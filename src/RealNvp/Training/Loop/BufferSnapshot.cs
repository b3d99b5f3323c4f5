using RealNvp.Internal;
using RealNvp.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Copies of the buffers of modules and of all their parts, anybody's, so that statistics that a failed
/// step has spoiled can be put back; and of weights that a layer sets from the first batch of training.
/// </summary>
internal sealed class BufferSnapshot : IDisposable
{
    private readonly ISetByFirstBatch[] first;
    private readonly (Tensor Live, Tensor Copy)[] all;
    private (Tensor Live, Tensor Copy)[] buffers;
    private bool waits;

    public BufferSnapshot(nn.Module module) : this([module]) { }

    public BufferSnapshot(IEnumerable<nn.Module> modules)
    {
        using var _ = no_grad();
        var parts = modules.SelectMany(m => m.modules().Append(m)).Distinct<nn.Module>(ReferenceEqualityComparer.Instance).ToArray();
        first = [.. parts.OfType<ISetByFirstBatch>()];
        var set = first.Where(l => !l.IsSet).SelectMany(l => l.SetTensors).Select(Pair).ToArray();
        buffers = [.. parts.Where(m => m is not IConstantBuffers).SelectMany(m => m.named_buffers(recurse: false))
            .Select(b => Pair(b.buffer))];
        all = [.. buffers, .. set];
        waits = set.Length > 0;
        if (waits) (buffers, rest) = (all, buffers);
        UsesLists = Array.TrueForAll(all, b => b.Live.device_type == DeviceType.CUDA);
    }

    /// <summary>Whether the copies go by lists of tensors, a few calls for all of them: if all are on a GPU.</summary>
    internal bool UsesLists { get; set; }

    // what is left to keep once the first batch was taken
    private readonly (Tensor Live, Tensor Copy)[] rest = [];

    public void Save()
    {
        if (waits && Array.TrueForAll(first, l => l.IsSet)) (buffers, waits) = (rest, false);
        if (!TryLists((live, copy) => BufferLists.Copy(copy, live)))
            foreach (var (live, copy) in buffers) Copy(live, copy);
    }

    public void Restore()
    {
        if (!TryLists(BufferLists.Copy))
            foreach (var (live, copy) in buffers) Copy(copy, live);
        foreach (var layer in first) layer.Forget();
    }

    /// <summary>As <see cref="Restore"/> where a gate is closed; else nothing changes. No number leaves the device.</summary>
    public void RestoreUnlessOpen(StepGate gate)
    {
        using var _ = no_grad();
        if (TryLists((live, copy) => BufferLists.Keep(live, copy, gate.Open))) return;
        foreach (var (live, copy) in buffers)
        {
            using var scope = NewDisposeScope();
            gate.Keep(live, copy);
        }
    }

    // false if this build of libtorch refuses it, which it does before any change
    private bool TryLists(Action<Tensor[], Tensor[]> run)
    {
        if (!UsesLists || buffers.Length == 0) return false;
        using var scope = NewDisposeScope();
        using var _ = no_grad();
        var done = false;
        foreach (var group in buffers.GroupBy(b => (b.Live.dtype, b.Live.device_index)))
        {
            (Tensor Live, Tensor Copy)[] members = [.. group];
            try { run(Array.ConvertAll(members, b => b.Live), Array.ConvertAll(members, b => b.Copy)); }
            catch (System.Runtime.InteropServices.ExternalException) when (!done) { return UsesLists = false; }
            done = true;
        }
        return true;
    }

    public void Dispose()
    {
        foreach (var (_, copy) in all) copy.Dispose();
    }

    private static (Tensor Live, Tensor Copy) Pair(Tensor live) => (live, live.clone().DetachFromDisposeScope());

    // Once a step for each buffer: a copy_ costs a microsecond and more, a copy of memory some nanoseconds.
    private static unsafe void Copy(Tensor from, Tensor to)
    {
        var (type, count) = (from.dtype, from.numel());
        if (KernelMemory.TryGet(from.Handle, type, count, out var source) && KernelMemory.TryGet(to.Handle, type, count, out var target))
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
