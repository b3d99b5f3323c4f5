using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Mpi;

/// <summary>Sums tensors of GPUs by NCCL, where they are, and leaves all else to another exchange, such as
/// <see cref="MpiExchange"/>.</summary>
/// <remarks>
/// <para><b>It has never run on a GPU.</b> Its calls are tested against a table of functions that stands for the library.</para>
/// <para>Each process has one GPU: let the launcher set <c>CUDA_VISIBLE_DEVICES</c>, so that it is <c>cuda:0</c> in each. The group of
/// GPUs is made at the first sum. Sums are asked for on CUDA's default stream, on which TorchSharp 0.107 computes, so nothing waits for
/// them.</para>
/// </remarks>
public sealed partial class NcclExchange : IGradientExchange, IDisposable
{
    // ncclFloat32, ncclFloat64, ncclSum
    private const int Float32 = 7, Float64 = 8, Sums = 0;

    private readonly IGradientExchange control;
    private readonly INcclFunctions nccl;
    private readonly Func<Tensor, (bool OnGpu, nint Memory)> look;
    private nint communicator;
    private bool disposed;

    /// <summary>Makes an exchange whose processes are those of another one.</summary>
    /// <param name="control">Tells the processes apart, spreads the name of the group, and does all but sums on GPUs. It stays the
    /// caller's.</param>
    /// <param name="library">The file or the name of NCCL; null for <c>REALNVP_NCCL_LIBRARY</c>, or <c>libnccl.so.2</c>.</param>
    /// <exception cref="DllNotFoundException">There is no NCCL.</exception>
    public NcclExchange(IGradientExchange control, string? library = null) : this(control, new NcclFunctions(library), Look) { }

    internal NcclExchange(IGradientExchange control, INcclFunctions nccl, Func<Tensor, (bool, nint)> look)
    {
        ArgumentNullException.ThrowIfNull(control);
        (this.control, this.nccl, this.look) = (control, nccl, look);
    }

    /// <inheritdoc/>
    public int Rank => control.Rank;

    /// <inheritdoc/>
    public int Size => control.Size;

    /// <inheritdoc/>
    public void Sum(Tensor bucket)
    {
        ArgumentNullException.ThrowIfNull(bucket);
        ObjectDisposedException.ThrowIf(disposed, this);
        var (onGpu, memory) = look(bucket);
        if (!onGpu)
        {
            control.Sum(bucket);
            return;
        }
        if (bucket.dtype is not (ScalarType.Float32 or ScalarType.Float64))
            throw new ArgumentException($"Expected float32 or float64; got {bucket.dtype}.", nameof(bucket));
        if (!bucket.is_contiguous()) throw new ArgumentException("Expected a contiguous tensor; got one with strides.", nameof(bucket));
        if (communicator == 0) Begin();
        Check("ncclAllReduce", nccl.AllReduce(memory, memory, (nuint)bucket.numel(), bucket.dtype == ScalarType.Float64 ? Float64 : Float32,
            Sums, communicator, 0));
        GC.KeepAlive(bucket);
    }

    /// <inheritdoc/>
    public void Broadcast(Tensor values, int root) => control.Broadcast(values, root);

    /// <inheritdoc/>
    public void Barrier() => control.Barrier();

    /// <inheritdoc/>
    public void BeginTraining() => control.BeginTraining();

    /// <inheritdoc/>
    public void EndTraining() => control.EndTraining();

    /// <inheritdoc/>
    public void Abort(string reason)
    {
        if (communicator != 0) _ = nccl.CommAbort(communicator);
        communicator = 0;
        control.Abort(reason);
    }

    /// <summary>Leaves the group of GPUs. The other exchange stays.</summary>
    public void Dispose()
    {
        if (disposed) return;
        disposed = true;
        if (communicator != 0) Check("ncclCommDestroy", nccl.CommDestroy(communicator));
        communicator = 0;
    }

    // process 0 makes the name of the group, and the other exchange spreads it
    private void Begin()
    {
        NcclId id = default;
        if (Rank == 0) Check("ncclGetUniqueId", nccl.GetUniqueId(out id));
        var bytes = MemoryMarshal.AsBytes(MemoryMarshal.CreateSpan(ref id, 1));
        using (NewDisposeScope())
        using (no_grad())
        {
            var name = tensor(bytes.ToArray(), dtype: ScalarType.Byte, device: CPU);
            control.Broadcast(name, 0);
            name.bytes.CopyTo(bytes);
        }
        Check("ncclCommInitRank", nccl.CommInitRank(out communicator, Size, id, Rank));
    }

    private static (bool, nint) Look(Tensor tensor) =>
        tensor.device_type == DeviceType.CUDA ? (true, THSTensor_data(tensor.Handle)) : (false, 0);

    [LibraryImport("LibTorchSharp")]
    private static partial nint THSTensor_data(nint handle);

    private void Check(string call, int code)
    {
        if (code != 0) throw new MpiException($"{call} failed: {nccl.ErrorString(code)}", code);
    }
}
