using System.IO.Compression;
using RealNvp.PyTorch;

namespace RealNvp.Tests.PyTorch;

/// <summary>The bytes of files of PyTorch, read and damaged.</summary>
internal static class FileBytes
{
    /// <summary>The pickle of an archive; null of a file that is none.</summary>
    public static byte[]? Pickle(byte[] file)
    {
        if (file[0] != 'P') return null;
        using var zip = new ZipArchive(new MemoryStream(file));
        using var stream = zip.Entries.Single(e => e.Name == "data.pkl").Open();
        using var copy = new MemoryStream();
        stream.CopyTo(copy);
        return copy.ToArray();
    }

    /// <summary>The archive with another pickle of the same length, and its checksum.</summary>
    public static byte[] Replaced(byte[] file, byte[] pickle)
    {
        var old = Pickle(file)!;
        var (before, after) = (BitConverter.GetBytes(Crc32.Add(0, old)), BitConverter.GetBytes(Crc32.Add(0, pickle)));
        var changed = (byte[])file.Clone();
        pickle.CopyTo(changed, file.AsSpan().IndexOf(old));
        // in the entry's header or behind its data, and in the directory
        for (var at = 0; changed.AsSpan(at).IndexOf(before) is >= 0 and var next; at += next + 4) after.CopyTo(changed, at + next);
        return changed;
    }

    /// <summary>Makes each entry of the directory that is empty the one of so many bytes before it.</summary>
    public static void Overlap(byte[] file, int bytes)
    {
        byte[]? sizes = null, place = null;
        for (var at = file.AsSpan().IndexOf("PK\u0001\u0002"u8); at >= 0;)
        {
            var size = BitConverter.ToInt32(file, at + 20);
            if (size == bytes) (sizes, place) = (file[(at + 16)..(at + 28)], file[(at + 42)..(at + 46)]);
            else if (size == 0)
            {
                sizes!.CopyTo(file, at + 16);
                place!.CopyTo(file, at + 42);
            }
            var next = file.AsSpan(at + 4).IndexOf("PK\u0001\u0002"u8);
            at = next < 0 ? -1 : at + 4 + next;
        }
    }
}
