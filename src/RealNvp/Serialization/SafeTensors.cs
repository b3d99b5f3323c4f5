using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Writes and reads named tensors as a safetensors file, the format that Python's <c>safetensors</c> package uses.</summary>
/// <remarks>
/// The file is an 8-byte little-endian header length, a JSON header, and the data of the tensors without gaps; see
/// https://huggingface.co/docs/safetensors. The dtypes are F64, F32, F16, BF16, I64, I32, I16, I8, U8 and BOOL.
/// A file holds no code, so a file from a stranger is safe to read: everything in it is checked before it is used.
/// The methods are safe for concurrent use on different tensors.
/// </remarks>
public static class SafeTensors
{
    /// <summary>Writes the tensors to <paramref name="path"/>; a file that is there already is replaced in one step.</summary>
    /// <param name="path">The file. Its folder must exist.</param>
    /// <param name="tensors">The tensors by name, on any device, of any shape and strides. They are read, not disposed.</param>
    /// <param name="metadata">Further strings by name, or null for none.</param>
    /// <remarks>
    /// The bytes go to a temporary file in the same folder, then to the disk, then the temporary file takes the name. When anything
    /// fails, the old file is unchanged and the temporary file is removed. Equal arguments give equal bytes in any order of the
    /// dictionary: tensors are sorted by element size (largest first), then by name. Metadata named <c>realnvp.crc32c</c>, whatever they say, get a checksum
    /// of all that the file holds, which <see cref="Load"/> checks.
    /// </remarks>
    /// <exception cref="ArgumentException">A name is not valid, or a tensor is disposed, sparse, without data or of another dtype.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Save(string path, IReadOnlyDictionary<string, Tensor> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(tensors);
        var writer = new SafeTensorsWriter(tensors, metadata);
        AtomicFile.Write(path, writer.WriteTo);
    }

    /// <summary>Reads the whole file into new tensors on the CPU.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The tensors and metadata. The caller disposes it, and the tensors with it.</returns>
    /// <remarks>Each tensor is read straight into its own memory. When this fails, the tensors that were made are disposed.</remarks>
    /// <exception cref="InvalidDataException">The file is damaged, is no safetensors file, or has a dtype that is not supported.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static SafeTensorsFile Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using var file = File.OpenHandle(path);
        var (header, dataStart) = SafeTensorsHeaderReader.Read(file, path);
        var tensors = new Dictionary<string, Tensor>(header.Entries.Count, StringComparer.Ordinal);
        var checksum = header.Metadata.ContainsKey(Checksum.Key) ? new Checksum() : null;
        try
        {
            foreach (var entry in header.Entries.Values)
            {
                var tensor = empty(entry.Shape.ToArray(), entry.DType, CPU);
                tensors.Add(entry.Name, tensor);
                var crc = SafeTensorsData.Read(file, path, dataStart + entry.Begin, entry, tensor, checksum is not null);
                checksum?.Tensor(entry.Name, SafeTensorsTypes.Find(entry.DType)!.Value.Name, entry.Shape, crc);
            }
            if (checksum is not null && checksum.Of(header.Metadata) != header.Metadata[Checksum.Key])
                throw new InvalidDataException($"'{path}' is damaged: its checksum, '{Checksum.Key}' in its metadata, does not agree with what it holds. Use another copy; or remove the checksum, if you changed the file on purpose.");
            return new SafeTensorsFile(header.Metadata, tensors);
        }
        catch
        {
            foreach (var tensor in tensors.Values) tensor.Dispose();
            throw;
        }
    }

    /// <summary>Reads the names, shapes, dtypes and metadata; no tensor is made and no data is read.</summary>
    /// <param name="path">The file.</param>
    /// <remarks>The header is checked against the size of the file, as <see cref="Load"/> does.</remarks>
    /// <exception cref="InvalidDataException">The file is damaged, is no safetensors file, or has a dtype that is not supported.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static SafeTensorsHeader ReadHeader(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using var file = File.OpenHandle(path);
        return SafeTensorsHeaderReader.Read(file, path).Header;
    }
}
