using System.Runtime.InteropServices;

namespace RealNvp.Mpi;

/// <summary>The name of a group of GPUs, which one process makes and all get: 128 bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = Bytes)]
internal struct NcclId
{
    public const int Bytes = 128;
}

/// <summary>The few functions of NCCL that sums need, so that a test can look at how they are called.</summary>
internal interface INcclFunctions
{
    int GetUniqueId(out NcclId id);

    int CommInitRank(out nint communicator, int size, NcclId id, int rank);

    int AllReduce(nint send, nint receive, nuint count, int type, int operation, nint communicator, nint stream);

    int CommDestroy(nint communicator);

    int CommAbort(nint communicator);

    string ErrorString(int code);
}

/// <summary>Those of <c>libnccl.so.2</c>.</summary>
internal sealed unsafe class NcclFunctions : INcclFunctions
{
    /// <summary>Names the library to load.</summary>
    public const string Variable = "REALNVP_NCCL_LIBRARY";

    private readonly nint library;

    /// <exception cref="DllNotFoundException">There is no NCCL.</exception>
    public NcclFunctions(string? path)
    {
        string[] names = MpiLibrary.Asked(path, Variable) is { } asked ? [asked] : ["libnccl.so.2", "libnccl.so"];
        foreach (var name in names)
            if (NativeLibrary.TryLoad(name, out library)) return;
        throw new DllNotFoundException(
            $"NCCL was not found; looked for {string.Join(", ", names)}. Install it (the package libnccl2), or name its file, as an " +
            $"argument or in the environment variable {Variable}.");
    }

    public int GetUniqueId(out NcclId id)
    {
        fixed (NcclId* p = &id) return ((delegate* unmanaged<NcclId*, int>)At("ncclGetUniqueId"))(p);
    }

    public int CommInitRank(out nint communicator, int size, NcclId id, int rank)
    {
        fixed (nint* p = &communicator)
            return ((delegate* unmanaged<nint*, int, NcclId, int, int>)At("ncclCommInitRank"))(p, size, id, rank);
    }

    public int AllReduce(nint send, nint receive, nuint count, int type, int operation, nint communicator, nint stream) =>
        ((delegate* unmanaged<nint, nint, nuint, int, int, nint, nint, int>)At("ncclAllReduce"))(send, receive, count, type, operation,
            communicator, stream);

    public int CommDestroy(nint communicator) => ((delegate* unmanaged<nint, int>)At("ncclCommDestroy"))(communicator);

    public int CommAbort(nint communicator) => ((delegate* unmanaged<nint, int>)At("ncclCommAbort"))(communicator);

    public string ErrorString(int code) =>
        Marshal.PtrToStringUTF8(((delegate* unmanaged<int, nint>)At("ncclGetErrorString"))(code)) ?? "an unknown error";

    private nint At(string name) => NativeLibrary.GetExport(library, name);
}
