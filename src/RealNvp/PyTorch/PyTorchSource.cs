namespace RealNvp.PyTorch;

/// <summary>Where the values of a file are, and the bytes of its storages: a zip archive, or the format before PyTorch 1.6.
/// Throws <see cref="FormatException"/> for what is not as it should be.</summary>
internal abstract class PyTorchSource : IDisposable
{
    /// <summary>The most bytes of a pickle: those of a state dict of 300,000 tensors.</summary>
    protected const int MaxPickleBytes = 1 << 26;

    /// <summary>The value that was saved, with <see cref="PickleTensor"/>s in it.</summary>
    public abstract object? Value { get; }

    /// <summary>The bytes of the pickle, which has at least one for each value.</summary>
    public abstract int PickleBytes { get; }

    /// <summary>Opens the bytes of a storage, after it was checked that there are as many as it says.</summary>
    public abstract Stream Open(PickleStorage storage, out uint? crc);

    /// <inheritdoc/>
    public abstract void Dispose();

    /// <summary>Tells the two formats apart by their first bytes.</summary>
    public static PyTorchSource Of(Stream stream)
    {
        Span<byte> first = stackalloc byte[16];
        var read = stream.ReadAtLeast(first, first.Length, throwOnEndOfStream: false);
        stream.Position -= read;
        first = first[..read];
        if (first.StartsWith("PK\u0003\u0004"u8)) return new PyTorchArchive(stream);
        if (first.Length > 13 && first[0] == 0x80 && first[2] == 0x8a && first[3] == 10) return new PyTorchLegacyFile(stream);
        if (first.Length > 8 && first[8] == '{')
            throw new FormatException("it begins as a safetensors file does: read it with SafeTensors.Load");
        if (first.Length > 1 && first[0] == 0x80) throw new FormatException("it is a plain pickle, which torch.save did not write");
        throw new FormatException(
            "its first bytes are neither those of a zip archive nor those that torch.save wrote before PyTorch 1.6");
    }
}
