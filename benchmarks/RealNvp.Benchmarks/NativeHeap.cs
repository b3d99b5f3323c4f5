using System.Runtime.InteropServices;

namespace RealNvp.Benchmarks;

/// <summary>The C library's heap, where tensors on the CPU and the kernels' own memory are. The managed heap is not in it.</summary>
internal static partial class NativeHeap
{
    /// <summary>Bytes that are allocated now; null where the C library cannot say (glibc 2.33 and newer can).</summary>
    public static long? InUse
    {
        get
        {
            try
            {
                var info = Information();
                return (long)(info.InChunks + info.Mapped);
            }
            catch (Exception e) when (e is EntryPointNotFoundException or DllNotFoundException) { return null; }
        }
    }

    [LibraryImport("libc", EntryPoint = "mallinfo2")]
    private static partial Info Information();

    /// <summary>struct mallinfo2: arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private readonly struct Info
    {
        private readonly nuint arena, chunks, small, maps;
        public readonly nuint Mapped;
        private readonly nuint most, released;
        public readonly nuint InChunks;
        private readonly nuint free, top;
    }
}
