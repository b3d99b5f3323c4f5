using System.IO.Compression;
using System.Text;

namespace RealNvp.PyTorch;

/// <summary>The format of PyTorch 1.6 and later: a zip archive, not compressed, with the pickle and a file for each storage.</summary>
internal sealed class PyTorchArchive : PyTorchSource
{
    private readonly ZipArchive zip;
    private readonly long length;
    private readonly string root;

    public PyTorchArchive(Stream stream)
    {
        length = stream.Length;
        zip = new ZipArchive(stream, ZipArchiveMode.Read, leaveOpen: true);
        var names = new HashSet<string>(StringComparer.Ordinal);
        // Python takes the last one, others the first: one file with two meanings
        if (zip.Entries.FirstOrDefault(e => !names.Add(e.FullName)) is { } twice)
            throw new FormatException($"it has '{FileText.Name(twice.FullName)}' twice, and readers do not agree which one counts");
        ZipArchiveEntry[] pickles = [.. zip.Entries.Where(e => e.FullName.EndsWith("/data.pkl", StringComparison.Ordinal)).Take(2)];
        if (pickles.Length != 1)
            throw new FormatException($"it is a zip archive with {(pickles.Length == 0 ? "no" : "more than one")} data.pkl");
        root = pickles[0].FullName[..^"data.pkl".Length];
        if (zip.GetEntry(root + "constants.pkl") is not null)
            throw new FormatException($"it holds a TorchScript program, and {PickleCalls.Known}");
        if (zip.GetEntry(root + "byteorder") is { } order && Encoding.ASCII.GetString(Bytes(order, 16)) is var text
            && text.Trim() != "little")
            throw new FormatException($"its byte order is '{FileText.Name(text)}', and little is read");
        var reader = new PickleReader(Bytes(pickles[0], MaxPickleBytes));
        (Value, PickleBytes) = (reader.Read(), reader.Position);
    }

    /// <inheritdoc/>
    public override object? Value { get; }

    /// <inheritdoc/>
    public override int PickleBytes { get; }

    /// <inheritdoc/>
    public override Stream Open(PickleStorage storage, out uint? crc)
    {
        var name = $"{root}data/{storage.Key}";
        var entry = zip.GetEntry(name) ?? throw new FormatException($"it has no '{FileText.Name(name)}', the numbers of a tensor");
        Stored(entry);
        if (entry.Length != storage.Bytes)
            throw new FormatException(
                $"its '{FileText.Name(name)}' has {entry.Length} bytes, but {storage.Count} elements of {storage.Type} need " +
                $"{storage.Bytes}");
        crc = entry.Crc32;
        return entry.Open();
    }

    /// <inheritdoc/>
    public override void Dispose() => zip.Dispose();

    // so that nothing is larger than the file is
    private void Stored(ZipArchiveEntry entry)
    {
        if (entry.Length != entry.CompressedLength)
            throw new FormatException(
                $"its '{FileText.Name(entry.FullName)}' is compressed, which torch.save never does. Unpack it and pack it again without " +
                $"compression (zip -0)");
        if (entry.Length > length)
            throw new FormatException(
                $"its '{FileText.Name(entry.FullName)}' says that it has {entry.Length} bytes; the file has {length}");
    }

    private byte[] Bytes(ZipArchiveEntry entry, long most)
    {
        Stored(entry);
        if (entry.Length > most)
            throw new FormatException($"its '{FileText.Name(entry.FullName)}' has {entry.Length} bytes; {most} is the most that is read");
        var bytes = new byte[entry.Length];
        using var stream = entry.Open();
        stream.ReadExactly(bytes);
        if (Crc32.Add(0, bytes) != entry.Crc32) throw Damaged(entry.FullName);
        return bytes;
    }

    /// <summary>The error for bytes that do not have their checksum.</summary>
    public static FormatException Damaged(string name) =>
        new($"the checksum of '{FileText.Name(name)}' does not agree with its bytes. The file is damaged, or was saved with " +
            $"set_crc32_options(False)");
}
