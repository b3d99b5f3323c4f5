using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace RealNvp.Tests.Infrastructure;

/// <summary>Errors of libtorch without a list of the functions that they came through, for tests that provoke hundreds: to look these
/// names up in its library takes 7 ms, and all else 0.05.</summary>
/// <remarks>libtorch lets a program say who describes a stack, once and for all: so all errors of the process are without it from then on.
/// Their first line, which says what is wrong, stays. Nothing changes on systems other than Linux.</remarks>
internal static unsafe class NativeErrors
{
    // std::function of libstdc++: what it captures, who copies and destroys that, and who is called
    private struct Function
    {
        public nint Captured, MoreCaptured, Manager, Invoker;
    }

    private static readonly Lazy<bool> isDone = new(Install);

    private static delegate* unmanaged<nint*, nuint, nuint, byte, void*> describe;

    /// <summary>Leaves the lists out from now on. False if that cannot be had here.</summary>
    public static bool LeaveOutStacks() => isDone.Value;

    private static bool Install()
    {
        if (!OperatingSystem.IsLinux() || sizeof(nint) != 8) return false;
        // loads the library
        zeros(1).Dispose();
        const string text = "NSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE";
        if (!NativeLibrary.TryLoad("libc10.so", out var library)
                || !NativeLibrary.TryGetExport(library, "_ZN3c1018get_lazy_backtraceB5cxx11Emmb", out var found)
                || !NativeLibrary.TryGetExport(library,
                    $"_ZN3c1020SetStackTraceFetcherESt8functionIFSt10shared_ptrIKNS_9LazyValueI{text}EEEvEE", out var set)
                || !NativeLibrary.TryGetExport(NativeLibrary.GetMainProgramHandle(), "getpid", out var harmless))
            return false;
        describe = (delegate* unmanaged<nint*, nuint, nuint, byte, void*>)found;
        // nothing is copied or destroyed, also when the process ends and managed code is gone: any function without an effect will do
        var function = new Function { Manager = harmless, Invoker = (nint)(delegate* unmanaged<nint*, nint, nint*>)&Describe };
        ((delegate* unmanaged<Function*, void>)set)(&function);
        return true;
    }

    // makes a std::shared_ptr, of two addresses, to a list of no calls
    [UnmanagedCallersOnly]
    private static nint* Describe(nint* result, nint captured)
    {
        describe(result, 0, 0, 1);
        return result;
    }
}
