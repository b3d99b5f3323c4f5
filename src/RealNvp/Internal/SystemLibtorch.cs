namespace RealNvp.Internal;

/// <summary>A libtorch that the dynamic linker of Linux finds by its name, as that of Debian's package libtorch1.13.</summary>
internal static class SystemLibtorch
{
    private const string File = "libtorch_cpu.so";

    /// <summary>The path of the first one if the linker looks, or null; nothing is loaded.</summary>
    public static string? Find() => OperatingSystem.IsLinux() ? Find(Environment.GetEnvironmentVariable("LD_LIBRARY_PATH")) : null;

    internal static string? Find(string? libraryPath) =>
        (libraryPath ?? "").Split([':', ';'], StringSplitOptions.RemoveEmptyEntries)
        .Concat(["/usr/local/lib", "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"])
        .Select(folder => Path.Combine(folder, File)).FirstOrDefault(System.IO.File.Exists);
}
