using System.Runtime.InteropServices;

namespace RealNvp.Tests.Infrastructure;

/// <summary>Bytes of the C library's heap that are in use, where tensors on the CPU
/// are: what the resident memory hides behind freed memory that is kept.</summary>
internal static partial class NativeHeapUse
{
    /// <summary>Null if the C library does not tell it (glibc 2.33 and newer do).</summary>
    public static long? Now
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

    /// <summary>Gives freed memory back to the system, so that the next peak of the resident memory is that of what is used.</summary>
    public static void Trim()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        _ = GiveBack(0);
    }

    /// <summary>The growth to the highest point during an action, as another thread sees it, which asks again and again.</summary>
    public static long PeakGrowth(Action action)
    {
        Trim();
        var (start, most, done) = (Now!.Value, 0L, false);
        var looks = new Thread(() =>
        {
            while (!Volatile.Read(ref done)) most = Math.Max(most, Now!.Value - start);
        });
        looks.Start();
        try { action(); }
        finally
        {
            Volatile.Write(ref done, true);
            looks.Join();
        }
        return most;
    }

    [LibraryImport("libc", EntryPoint = "malloc_trim")]
    private static partial int GiveBack(nuint kept);

    [LibraryImport("libc", EntryPoint = "mallinfo2")]
    private static partial Info Information();

    // arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost
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
