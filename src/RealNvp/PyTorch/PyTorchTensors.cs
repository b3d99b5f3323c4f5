using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.PyTorch;

/// <summary>Makes the tensors of a file. Those that share a storage in the file share memory here, and the same tensor under two names is
/// one tensor. Throws <see cref="FormatException"/>.</summary>
internal sealed class PyTorchTensors(PyTorchSource source, long fileBytes) : IDisposable
{
    // a stride of 0 repeats an element at no cost here, but whoever copies such a tensor pays for it
    private const long Spare = 1 << 24, Repeats = 8;

    private readonly Dictionary<PickleTensor, Tensor> made = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<string, Tensor> storages = new(StringComparer.Ordinal);
    private long storageBytes, tensorBytes;

    /// <summary>All that were made.</summary>
    public IReadOnlyCollection<Tensor> All => made.Values;

    /// <summary>The tensor of a description.</summary>
    public Tensor Of(PickleTensor description)
    {
        if (made.TryGetValue(description, out var known)) return known;
        var flat = Flat(description.Storage);
        var bytes = Product(description.Count, PyTorchTypes.SizeOf(description.Storage.Type));
        tensorBytes = Sum(tensorBytes, bytes);
        if (tensorBytes > Sum(Spare, Product(Repeats, fileBytes)))
            throw new FormatException($"its tensors have {tensorBytes} bytes in all, too many for a file of {fileBytes}");
        var tensor = flat.as_strided(description.Shape, description.Strides, description.Offset);
        made.Add(description, tensor);
        return tensor;
    }

    /// <summary>Lets go of the storages, which live as long as a tensor looks at them.</summary>
    public void Dispose()
    {
        foreach (var flat in storages.Values) flat.Dispose();
        storages.Clear();
    }

    private Tensor Flat(PickleStorage storage)
    {
        if (storages.TryGetValue(storage.Key, out var known)) return known;
        var bytes = source.Open(storage, out var expected);
        // several entries of a zip archive may lie at the same place
        storageBytes = Sum(storageBytes, storage.Bytes);
        if (storageBytes > fileBytes)
            throw new FormatException($"its storages have {storageBytes} bytes in all, but the file has {fileBytes}");
        var flat = empty([storage.Count], storage.Type, CPU);
        try
        {
            var crc = 0u;
            if (storage.Count > 0)
                SafeTensorsData.ForEachPiece(flat, 0, piece =>
                {
                    bytes.ReadExactly(piece);
                    if (expected is not null) crc = Crc32.Add(crc, piece);
                    // A bool that is neither 0 nor 1 makes native code undefined.
                    if (storage.Type == ScalarType.Bool && piece.ContainsAnyExceptInRange((byte)0, (byte)1))
                        throw new FormatException(
                            $"its bool storage '{FileText.Name(storage.Key)}' has a byte other than 0 and 1. The file is damaged");
                });
            if (expected is { } wanted && wanted != crc) throw PyTorchArchive.Damaged(storage.Key);
        }
        catch
        {
            flat.Dispose();
            throw;
        }
        storages.Add(storage.Key, flat);
        return flat;
    }

    private static long Sum(long a, long b) => a > long.MaxValue - b ? long.MaxValue : a + b;

    private static long Product(long a, long b) => b > 0 && a > long.MaxValue / b ? long.MaxValue : a * b;
}
