using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Mpi;

/// <summary>The processes that <c>mpirun</c> has started, for a <see cref="Trainer"/>: over the MPI library of the system.</summary>
/// <remarks>
/// <para>Open MPI, and MPICH with what has its interface (Intel MPI, MVAPICH, Cray MPI, MS-MPI), are told apart by what the library has.
/// It is found by its usual names, that of the launcher's family first, or named by an argument or the environment variable
/// <c>REALNVP_MPI_LIBRARY</c>. Without <c>mpirun</c> there is one process, 0 of 1.</para>
/// <para>MPI begins once in a process, and ends with <see cref="Dispose"/>, which waits for all processes; never by itself. Call it from
/// one thread at a time: another one is refused. Let <see cref="Run"/> hold your program, so that an error anywhere in it ends all
/// processes.</para>
/// <para>All processes call the same: <see cref="Trainer.Fit"/> on one of them alone is an error once another one has come to the end of
/// its program, and waits before.</para>
/// <para>Tensors on a GPU go through the memory of the CPU; <see cref="NcclExchange"/> sums them where they are.</para>
/// </remarks>
public sealed class MpiExchange : IOverlappingExchange, IDisposable
{
    private static readonly Lock gate = new();
    private static bool hasBegun;

    private readonly MpiLibrary library;

    // what MPI reads and writes until its request has ended
    private readonly List<(nint Request, Tensor Part)> begun = [];
    private volatile bool disposed, trains;
    private bool parted;
    private int inside;

    /// <summary>Begins MPI.</summary>
    /// <param name="library">The file or the name of the MPI library; null for <c>REALNVP_MPI_LIBRARY</c>, or the one that is
    /// found.</param>
    /// <exception cref="DllNotFoundException">There is none; the message says which were looked for.</exception>
    /// <exception cref="InvalidOperationException">MPI has begun in this process, or the library is not that of the launcher.</exception>
    /// <exception cref="MpiException">The library refuses.</exception>
    public MpiExchange(string? library = null)
    {
        lock (gate)
        {
            var launcher = MpiLauncher.Here;
            this.library = MpiLibrary.Load(MpiLibrary.Asked(library), launcher);
            if (hasBegun || this.library.IsInitialized || this.library.IsFinalized)
                throw new InvalidOperationException(
                    "MPI has begun in this process before, and begins but once. Keep the exchange for the whole program.");
            this.library.Initialize();
            hasBegun = true;
            (Rank, Size) = (this.library.Rank, this.library.Size);
            if (launcher.Size is { } size && size != Size)
                throw new InvalidOperationException(
                    $"This process was started as one of {size} by {launcher.Name}, but {this.library.Name} ({Version}) knows {Size}: " +
                    $"it is another MPI than the launcher's, and each process would train alone. Name the launcher's library in " +
                    $"{MpiLibrary.Variable}, or use the launcher of that one.");
            if (Size > 1) AppDomain.CurrentDomain.ProcessExit += EndsEarly;
        }
    }

    /// <inheritdoc/>
    public int Rank { get; }

    /// <inheritdoc/>
    public int Size { get; }

    /// <summary>Whose interface the library has.</summary>
    public MpiFamily Family => library.Family;

    /// <summary>The name that the library was found by.</summary>
    public string Library => library.Name;

    /// <summary>What the library says of itself, such as <c>Open MPI v4.1.4</c>.</summary>
    public string Version => library.Version;

    /// <summary>The most elements of one call; more are parted.</summary>
    internal int MostElements
    {
        set => library.MostElements = value;
    }

    /// <summary>Runs a program on each process, and ends MPI after it. An error in it ends all processes, with its text on the error
    /// stream: the others would wait for this one for ever.</summary>
    /// <param name="program">The program.</param>
    /// <param name="library">As of the constructor.</param>
    public static void Run(Action<MpiExchange> program, string? library = null)
    {
        ArgumentNullException.ThrowIfNull(program);
        using var exchange = new MpiExchange(library);
        try { program(exchange); }
        catch (Exception e) when (exchange.Size > 1)
        {
            exchange.Abort(e.ToString());
            throw;
        }
    }

    /// <inheritdoc/>
    public void Sum(Tensor bucket)
    {
        ArgumentNullException.ThrowIfNull(bucket);
        CheckSummed(bucket);
        using var _ = Enter();
        Each(bucket, nameof(bucket), part => library.Sum(part.bytes, bucket.dtype == ScalarType.Float64));
    }

    /// <inheritdoc/>
    /// <remarks>Most MPI libraries move a sum on only while the program is in one of their functions: in this one too.</remarks>
    public void BeginSum(Tensor bucket)
    {
        ArgumentNullException.ThrowIfNull(bucket);
        CheckSummed(bucket);
        using var _ = Enter();
        if (bucket.device_type != DeviceType.CPU)
            throw new ArgumentException($"Sums may overlap for tensors on the CPU; got one on {bucket.device}. Use {nameof(Sum)}.",
                nameof(bucket));
        begun.RemoveAll(b =>
        {
            if (!library.IsDone(b.Request)) return false;
            b.Part.Dispose();
            return true;
        });
        Each(bucket, nameof(bucket), part =>
            begun.Add((library.BeginSum(part.bytes, bucket.dtype == ScalarType.Float64), part.alias().DetachFromDisposeScope())));
    }

    /// <inheritdoc/>
    public void EndSums()
    {
        using var _ = Enter();
        foreach (var (request, part) in begun)
        {
            library.Wait(request);
            part.Dispose();
        }
        begun.Clear();
    }

    /// <inheritdoc/>
    public void Broadcast(Tensor values, int root)
    {
        ArgumentNullException.ThrowIfNull(values);
        ArgumentOutOfRangeException.ThrowIfNegative(root);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(root, Size);
        using var _ = Enter();
        Each(values, nameof(values), part => library.Broadcast(part.bytes, root));
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">A process has come to its <see cref="Dispose"/> instead.</exception>
    public void Barrier()
    {
        using var _ = Enter();
        Meet();
    }

    /// <inheritdoc/>
    public void BeginTraining()
    {
        using var _ = Enter();
        if (trains)
            throw new InvalidOperationException($"A training uses this {nameof(MpiExchange)} already. Train one flow after another.");
        Meet();
        trains = true;
    }

    /// <inheritdoc/>
    public void EndTraining() => trains = false;

    /// <inheritdoc/>
    public void Abort(string reason)
    {
        Console.Error.WriteLine($"Process {Rank} of {Size} ends the training of all. {reason}");
        Console.Error.Flush();
        if (!disposed) library.Abort(1);
    }

    /// <summary>Ends MPI, once all processes have come here.</summary>
    /// <exception cref="InvalidOperationException">A training uses it still; nothing has ended.</exception>
    public void Dispose()
    {
        if (disposed) return;
        // others wait for this process in the training, and it would wait for them here
        if (trains)
            throw new InvalidOperationException(
                $"The {nameof(MpiExchange)} is disposed while a training uses it. Wait until {nameof(Trainer.Fit)} has returned, or the " +
                $"task of {nameof(Trainer.FitAsync)} has ended.");
        using var inCall = Enter();
        disposed = true;
        AppDomain.CurrentDomain.ProcessExit -= EndsEarly;
        // whoever waits for this process in a barrier, or to begin a training, hears that it leaves
        if (!parted) library.Meet(1);
        lock (gate) library.FinalizeAll();
    }

    // some launchers end all then, and call it a success
    private void EndsEarly(object? sender, EventArgs e)
    {
        if (disposed || Environment.ExitCode != 0) return;
        Environment.ExitCode = 1;
        Console.Error.WriteLine($"Process {Rank} of {Size} ends before it has disposed its {nameof(MpiExchange)}, by Environment.Exit or " +
            $"without a using: that may end all processes. Let {nameof(MpiExchange)}.{nameof(Run)} hold the program, and return from it.");
    }

    // all processes are here, or some have left
    private void Meet()
    {
        var left = library.Meet(0);
        if (Array.FindIndex(left, l => l > 0) is not (>= 0 and var first)) return;
        parted = true;
        throw new InvalidOperationException(
            $"Process {Rank} of {Size} waits for all, to train or in a barrier, but process {first} has come to the end of its program " +
            $"or has disposed its {nameof(MpiExchange)}. All processes must call {nameof(Trainer.Fit)}, and as often: what only process " +
            $"0 should do, such as printing and saving, comes after it.");
    }

    // MPI takes calls from one thread at a time, and says nothing if there are two
    private Inside Enter()
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        return Interlocked.Exchange(ref inside, 1) == 0 ? new Inside(this) : throw new InvalidOperationException(
            $"Two threads call this {nameof(MpiExchange)} at the same time. Call it from one at a time, and train one flow after another.");
    }

    private readonly struct Inside(MpiExchange exchange) : IDisposable
    {
        public void Dispose() => Volatile.Write(ref exchange.inside, 0);
    }

    private static void CheckSummed(Tensor bucket)
    {
        if (bucket.dtype is not (ScalarType.Float32 or ScalarType.Float64))
            throw new ArgumentException($"MPI adds up float32 and float64; got {bucket.dtype}.", nameof(bucket));
    }

    // in parts whose count is an int of C, and whose bytes are a span; those of another device by way of the CPU
    private void Each(Tensor tensor, string name, Action<Tensor> call)
    {
        if (!tensor.is_contiguous()) throw new ArgumentException("Expected a contiguous tensor; got one with strides.", name);
        using var scope = NewDisposeScope();
        using var gradients = no_grad();
        var flat = tensor.detach().view(-1);
        if (tensor.device_type != DeviceType.CPU)
        {
            var copy = flat.cpu();
            Parts(copy, call);
            flat.copy_(copy);
        }
        else Parts(flat, call);
    }

    private void Parts(Tensor flat, Action<Tensor> call)
    {
        var (count, most) = (flat.shape[0], (long)library.MostElements / Math.Max(1, flat.ElementSize / sizeof(float)));
        for (long start = 0; start < count; start += most)
        {
            using var part = flat.narrow(0, start, Math.Min(most, count - start));
            call(part);
        }
    }
}
