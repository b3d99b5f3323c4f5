using System.Runtime.InteropServices;
using System.Text;

namespace RealNvp.Internal;

/// <summary>
/// Loads TorchSharp's native library where no build has run, as in notebooks and scripts, and the
/// system's libstdc++ is older than the one that it was built with. What the package's build target
/// does for an application is done here to a copy in the user's folder (decision 0010).
/// </summary>
internal static class MendedLibrary
{
    private const string File = "libLibTorchSharp.so", Version = "GLIBCXX_3.4.32";

    /// <summary>Loads a mended copy; false if there is nothing to mend here, or no place for it.</summary>
    /// <param name="torchSharp">Where TorchSharp.dll lies:
    /// <c>.../torchsharp/VERSION/lib/netX/TorchSharp.dll</c> in a package cache.</param>
    /// <param name="loadNeeded">Loads a library that the copy needs, by its name:
    /// the loader then finds it by its soname, whatever the copy's folder.</param>
    /// <param name="folder">Where copies lie; null for the user's folder of application data.</param>
    public static bool TryLoad(string torchSharp, Func<string, bool> loadNeeded, string? folder = null)
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64) return false;
        var package = Path.GetFullPath(Path.Combine(torchSharp, "..", "..", ".."));
        var source = Path.Combine(package, "runtimes", "linux-x64", "native", File);
        folder ??= Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData) is { Length: > 0 } data
            ? Path.Combine(data, "RealNvp", "native") : null;
        if (folder is null || !System.IO.File.Exists(source)) return false;
        foreach (var name in new[] { "c10", "torch_cpu", "torch" })
            if (!loadNeeded(name)) return false;
        try { return NativeLibrary.TryLoad(Copy(source, Path.Combine(folder, Path.GetFileName(package))), out _); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException) { return false; }
    }

    /// <summary>Writes the mended copy, unless it is there; its path.</summary>
    public static string Copy(string source, string folder)
    {
        var bytes = System.IO.File.ReadAllBytes(source);
        Weaken(bytes, Version);
        var copy = Path.Combine(folder, File);
        if (System.IO.File.Exists(copy) && System.IO.File.ReadAllBytes(copy).AsSpan().SequenceEqual(bytes)) return copy;
        Directory.CreateDirectory(folder);
        // beside and then in its place: another process may load it at the same time
        var unfinished = $"{copy}.{Guid.NewGuid():N}";
        System.IO.File.WriteAllBytes(unfinished, bytes);
        System.IO.File.Move(unfinished, copy, overwrite: true);
        return copy;
    }

    /// <summary>Marks the need for a version weak in a 64-bit little-endian ELF
    /// file: the loader then does without it. Offsets are those of elf.h.</summary>
    /// <returns>How many entries were marked.</returns>
    /// <exception cref="InvalidDataException">It is no such file, or is cut off.</exception>
    public static int Weaken(byte[] file, string version)
    {
        try
        {
            if (file.Length < 64 || BitConverter.ToUInt32(file) != 0x464c457f || file[4] != 2 || file[5] != 1)
                throw new InvalidDataException("This is no 64-bit little-endian ELF file.");
            var (sections, size, count, marked) = (U64(0x28), U16(0x3A), U16(0x3C), 0);
            for (var i = 0; i < count; i++)
            {
                var section = checked(sections + ((long)i * size));
                // SHT_GNU_verneed
                if (U32(section + 4) != 0x6ffffffe) continue;
                var names = U64(sections + (U32(section + 40) * size) + 24);
                // one entry for each needed library, which lists the versions that it needs; each chain goes forward
                for (long need = U64(section + 24), next = 1; next != 0; need += next)
                {
                    var at = need + U32(need + 8);
                    for (var left = U16(need + 2); left > 0; left--, at += U32(at + 12))
                    {
                        if (Name(names + U32(at + 8)) != version) continue;
                        // VER_FLG_WEAK
                        file[at + 4] |= 2;
                        marked++;
                    }
                    next = U32(need + 12);
                }
            }
            return marked;
        }
        catch (Exception e) when (e is ArgumentException or OverflowException
            or IndexOutOfRangeException) { throw new InvalidDataException("The ELF file is damaged or cut off.", e); }

        long U64(long at) => BitConverter.ToInt64(file, checked((int)at));
        long U32(long at) => BitConverter.ToUInt32(file, checked((int)at));
        int U16(long at) => BitConverter.ToUInt16(file, checked((int)at));
        string Name(long at)
        {
            var rest = file.AsSpan(checked((int)at));
            return Encoding.ASCII.GetString(rest[..rest.IndexOf((byte)0)]);
        }
    }
}
