using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;

namespace RealNvp.PyTorch;

/// <summary>The format before PyTorch 1.6, which <c>_use_new_zipfile_serialization=False</c> still writes: pickles one after the other
/// (a magic number, a version, facts about the machine, the value, the keys of the storages), then the storages.</summary>
internal sealed class PyTorchLegacyFile : PyTorchSource
{
    private static readonly BigInteger magic =
        BigInteger.Parse("119547037146038801333356", CultureInfo.InvariantCulture);

    private readonly Stream stream;
    private readonly Dictionary<string, long> places = new(StringComparer.Ordinal);

    public PyTorchLegacyFile(Stream stream)
    {
        this.stream = stream;
        var begin = stream.Position;
        var bytes = new byte[Math.Min(stream.Length - begin, MaxPickleBytes)];
        stream.ReadExactly(bytes);
        var reader = new PickleReader(bytes);
        if (reader.Read() is not BigInteger number || number != magic)
            throw new FormatException("it is a plain pickle, which torch.save did not write");
        if (reader.Read() is not 1001L) throw new FormatException("its format is of a version that is not known");
        if (reader.Read() is not PickleDictionary facts || (facts.TryGetValue("little_endian", out var little) && little is not true))
            throw new FormatException("it was written on a machine with another byte order, and little-endian is read");
        Value = reader.Read();
        var keys = reader.Read() as List<object?> ?? throw new FormatException("it has no list of its storages");
        PickleBytes = reader.Position;
        FindPlaces(keys, reader.Storages, begin + reader.Position);
    }

    /// <inheritdoc/>
    public override object? Value { get; }

    /// <inheritdoc/>
    public override int PickleBytes { get; }

    /// <inheritdoc/>
    public override Stream Open(PickleStorage storage, out uint? crc)
    {
        crc = null;
        stream.Position = places[storage.Key];
        return stream;
    }

    /// <inheritdoc/>
    public override void Dispose() { }

    // the number of elements of a storage stands before them
    private void FindPlaces(List<object?> keys, IReadOnlyDictionary<string, PickleStorage> known, long at)
    {
        Span<byte> count = stackalloc byte[8];
        foreach (var entry in keys)
        {
            if (entry is not string key || !known.TryGetValue(key, out var storage))
                throw new FormatException($"it has a storage '{FileText.Name($"{entry}")}' of no tensor");
            var end = at + 8 + storage.Bytes;
            if (end > stream.Length) throw new FormatException("it ends before its last storage");
            stream.Position = at;
            stream.ReadExactly(count);
            var elements = BinaryPrimitives.ReadInt64LittleEndian(count);
            if (elements != storage.Count)
                throw new FormatException(
                    $"its storage '{FileText.Name(key)}' has {elements} elements, but a tensor says that it has {storage.Count}");
            if (!places.TryAdd(key, at + 8)) throw new FormatException($"it has the storage '{FileText.Name(key)}' twice");
            at = end;
        }
        if (known.Keys.FirstOrDefault(key => !places.ContainsKey(key)) is { } lost)
            throw new FormatException($"it has no storage '{FileText.Name(lost)}', the numbers of a tensor");
    }
}
