using System.Runtime.InteropServices;

namespace RealNvp.Operations;

/// <summary>Functions of libtorch's own that TorchSharp does not pass on.</summary>
internal static class LibtorchFunction
{
    private const string Library = "libtorch_cpu.so";

    /// <summary>The address of a function by its C++ name on Linux; 0 if it is not there. Try what it does before you use it.</summary>
    public static IntPtr Find(string name) =>
        // the library is loaded already: by its name the loader finds that one
        OperatingSystem.IsLinux() && NativeLibrary.TryLoad(Library, out var library)
            && NativeLibrary.TryGetExport(library, name, out var address) ? address : 0;
}
