using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace RealNvp.Benchmarks;

/// <summary>Counts the operations that pass libtorch's dispatcher on one thread:
/// those that a program asks for, and those that these ask for in turn.</summary>
/// <remarks>
/// It hangs on libtorch's own hook for profilers, <c>at::addThreadLocalCallback</c>, by its name in
/// the Linux build of libtorch 2.x. Elsewhere there is no such name, and <see cref="Start"/>
/// returns null. On the CPU a backward pass runs on the thread that asks for it, so it counts too.
/// </remarks>
public sealed unsafe partial class NativeCalls : IDisposable
{
    [ThreadStatic] private static long outer, all, depth, peak;
    [ThreadStatic] private static bool measures;
    [ThreadStatic] private static Dictionary<string, long>? names;

    private readonly ulong handle;
    private readonly (long Outer, long All) before;
    private readonly long? heap;

    private NativeCalls(ulong handle, long? heap)
    {
        (this.handle, this.heap) = (handle, heap);
        before = (outer, all);
    }

    /// <summary>Operations that were asked for from outside of another one.</summary>
    public long Outer => outer - before.Outer;

    /// <summary>All operations, also those inside of others.</summary>
    public long All => all - before.All;

    /// <summary>How often each operation ran, also inside of others, by its name such as <c>aten::item</c>; empty without names.</summary>
    public IReadOnlyDictionary<string, long> Names { get; private init; } = new Dictionary<string, long>();

    /// <summary>The most bytes that the C library's heap held at the end of an operation,
    /// beyond those at the start; null where that was not asked for, or is not known.</summary>
    public long? PeakGrowth => peak - heap;

    /// <summary>Counts from here on, until disposed; null where this libtorch has no such hook.</summary>
    /// <param name="byName">Counts each operation for itself too.</param>
    /// <param name="memory">Also measures <see cref="PeakGrowth"/>, which takes time.</param>
    public static NativeCalls? Start(bool byName = false, bool memory = false)
    {
        var heap = memory ? NativeHeap.InUse : null;
        (measures, peak) = (heap is not null, heap ?? 0);
        var callback = new Callback { Start = &Enter, End = &Leave, SamplingProbability = 1 };
        callback.Scopes[0] = 1;   // RecordScope::FUNCTION: operations
        names = byName ? [] : null;
        try { return new NativeCalls(AddThreadLocalCallback(callback), heap) { Names = names ?? [] }; }
        catch (Exception e) when (e is EntryPointNotFoundException or DllNotFoundException) { return null; }
    }

    /// <summary>Stops counting.</summary>
    public void Dispose()
    {
        RemoveCallback(handle);
        names = null;
    }

    // std::unique_ptr<ObserverContext>(const RecordFunction&): a result that is returned through a hidden first argument
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void** Enter(void** result, void* function)
    {
        *result = null;
        all++;
        if (depth++ == 0) outer++;
        if (names is { } counts && Marshal.PtrToStringUTF8((nint)NameOf(function)) is { } name)
            counts[name] = counts.GetValueOrDefault(name) + 1;
        return result;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Leave(void* function, void* context)
    {
        depth--;
        if (measures) peak = Math.Max(peak, NativeHeap.InUse ?? 0);
    }

    [LibraryImport("torch_cpu", EntryPoint = "_ZN2at22addThreadLocalCallbackENS_22RecordFunctionCallbackE")]
    private static partial ulong AddThreadLocalCallback(Callback callback);

    // const char* at::RecordFunction::name() const
    [LibraryImport("torch_cpu", EntryPoint = "_ZNK2at14RecordFunction4nameEv")]
    private static partial byte* NameOf(void* function);

    [LibraryImport("torch_cpu", EntryPoint = "_ZN2at14removeCallbackEm")]
    private static partial void RemoveCallback(ulong handle);

    /// <summary>at::RecordFunctionCallback.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Callback
    {
        public delegate* unmanaged[Cdecl]<void**, void*, void**> Start;
        public delegate* unmanaged[Cdecl]<void*, void*, void> End;
        public double SamplingProbability;
        public fixed byte Scopes[10];
        public byte NeedsInputs, NeedsOutputs, NeedsIds;
    }
}
