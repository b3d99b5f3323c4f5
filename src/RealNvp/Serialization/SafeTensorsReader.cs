using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Reads one safetensors file in one pass: the header, then the tensors in the order of their data.</summary>
/// <remarks>Nothing large is allocated because a header asks for it: a tensor's memory
/// grows with the bytes that come, unless it is known how many there are.</remarks>
internal sealed class SafeTensorsReader : IDisposable
{
    // a disk reads so many bytes at once, and the caches of a processor hold them
    private const int PieceBytes = 1 << 18;

    private readonly SafeTensorsSource source;
    private readonly IReadOnlyList<SafeTensorsEntry> entries;

    /// <summary>Reads and checks the header. It owns the source from now on.</summary>
    public SafeTensorsReader(SafeTensorsSource source)
    {
        this.source = source;
        try
        {
            var (table, inOrder) = SafeTensorsHeaderReader.Read(source);
            entries = [.. inOrder.Select(record => new SafeTensorsEntry(record))];
            Header = new SafeTensorsHeader(table.Metadata, entries.ToDictionary(entry => entry.Name, StringComparer.Ordinal));
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    public SafeTensorsHeader Header { get; }

    /// <summary>What messages call the file.</summary>
    public string Name => source.Name;

    public static SafeTensorsReader Open(string path) => new(SafeTensorsSource.Open(path));

    public static SafeTensorsReader Of(Stream stream) => new(SafeTensorsSource.Of(stream));

    /// <summary>Reads all tensors, once; the checksum, if there is one, is compared. If it throws, no tensor is left.</summary>
    public SafeTensorsFile ReadTensors()
    {
        TorchBackend.EnsureAvailable();
        var checksum = Checksum.Asked(Header.Metadata, Name);
        var tensors = new Dictionary<string, Tensor>(entries.Count, StringComparer.Ordinal);
        try
        {
            foreach (var entry in entries)
            {
                var (tensor, crc) = Read(entry, checksum is not null);
                tensors.Add(entry.Name, tensor);
                checksum?.Tensor(entry.Name, SafeTensorsTypes.Find(entry.DType)!.Value.Name, entry.Shape, crc);
            }
            checksum?.Compare(Header.Metadata, Name);
            return new SafeTensorsFile(Header.Metadata, tensors, Name);
        }
        catch
        {
            foreach (var tensor in tensors.Values) tensor.Dispose();
            throw;
        }
    }

    /// <summary>Reads all data, once, keeps none of them, and compares the
    /// checksum; false if there is none, and then nothing is read.</summary>
    /// <exception cref="InvalidDataException">It does not agree, or the data end before.</exception>
    public bool CompareChecksum()
    {
        if (Checksum.Asked(Header.Metadata, Name) is not { } checksum) return false;
        var buffer = new byte[PieceBytes];
        foreach (var entry in entries)
        {
            var crc = ~0u;
            for (var left = entry.ByteCount; left > 0;)
            {
                var piece = buffer.AsSpan(0, (int)Math.Min(left, PieceBytes));
                source.ReadExactly(piece);
                crc = Checksum.Add(crc, piece);
                left -= piece.Length;
            }
            checksum.Tensor(entry.Name, SafeTensorsTypes.Find(entry.DType)!.Value.Name, entry.Shape, crc);
        }
        checksum.Compare(Header.Metadata, Name);
        return true;
    }

    public void Dispose() => source.Dispose();

    private (Tensor Tensor, uint Crc) Read(SafeTensorsEntry entry, bool counts)
    {
        var crc = ~0u;
        long done = 0;
        var tensor = Memory(entry, source.Believable);
        try
        {
            while (true)
            {
                SafeTensorsData.ForEachPiece(tensor, done, bytes =>
                {
                    source.ReadExactly(bytes);
                    if (counts) crc = Checksum.Add(crc, bytes);
                    // A bool that is neither 0 nor 1 makes native code undefined.
                    if (entry.DType == ScalarType.Bool && bytes.ContainsAnyExceptInRange((byte)0, (byte)1))
                        throw new InvalidDataException(
                            $"{Name}: the BOOL tensor '{FileText.Name(entry.Name)}' has a byte other than 0 and 1. The file is damaged: " +
                            $"copy or save it again.");
                });
                done = tensor.numel();
                if (done * tensor.ElementSize == entry.ByteCount) break;
                var larger = Memory(entry, source.Believable + (done * tensor.ElementSize));
                using (tensor)
                using (var all = larger.view(-1))
                using (var first = all.narrow(0, 0, done)) first.copy_(tensor);
                tensor = larger;
            }
            return (tensor, crc);
        }
        catch
        {
            tensor.Dispose();
            throw;
        }
    }

    // the whole tensor, or as many of its elements as may be believed
    private static Tensor Memory(SafeTensorsEntry entry, long bytes)
    {
        if (entry.ByteCount <= bytes) return empty(entry.Shape.ToArray(), entry.DType, CPU);
        return empty([bytes / SafeTensorsTypes.Find(entry.DType)!.Value.Size], entry.DType, CPU);
    }
}
