using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Writes and reads named tensors as a safetensors file, the format that Python's <c>safetensors</c> package uses.</summary>
/// <remarks>
/// <para>The file is an 8-byte little-endian header length, a JSON header, and the data of the tensors without gaps; see
/// https://huggingface.co/docs/safetensors. The dtypes are F64, F32, F16, BF16, I64, I32, I16, I8, U8 and BOOL.
/// A file holds no code, so a file from a stranger is safe to read: everything in it is checked before it is used.</para>
/// <para>A stream is written and read from where it stands, from front to back, so it need not be
/// seekable. It is left open, and stands behind the file afterwards: several files can follow on
/// one another in one stream. After an exception it stands somewhere in the file.</para>
/// <para>The methods are safe for concurrent use on different tensors and streams.</para>
/// </remarks>
public static class SafeTensors
{
    /// <summary>Writes the tensors to <paramref name="path"/>; a file that is there already is replaced in one step.</summary>
    /// <param name="path">The file. Its folder must exist.</param>
    /// <param name="tensors">The tensors by name, on any device, of any shape and strides. They are read, not disposed.</param>
    /// <param name="metadata">Further strings by name, or null for none.</param>
    /// <remarks>
    /// The bytes go to a temporary file in the same folder, then to the disk, then the temporary file takes the name. When anything
    /// fails, the old file is unchanged and the temporary file is removed; one that a killed process left is removed by
    /// the next save to the same path, a minute later or more. Equal arguments give equal bytes in any order of the
    /// dictionary: tensors are sorted by element size (largest first), then by name. Metadata named
    /// <c>realnvp.crc32c</c>, whatever they say, get a checksum of all that the file holds, which <c>Load</c> checks.
    /// </remarks>
    /// <exception cref="ArgumentException">A name is not valid, or a tensor
    /// is disposed, sparse, without data or of another dtype.</exception>
    /// <exception cref="IOException">The file cannot be written: the folder does not exist,
    /// the disk is full, or the path is a folder, a pipe or a device.</exception>
    /// <exception cref="UnauthorizedAccessException">The file is read-only, or a right is missing.</exception>
    public static void Save(string path, IReadOnlyDictionary<string, Tensor> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        Save(new SafeTensorsTarget(path), tensors, metadata);
    }

    /// <summary>Writes the tensors to a stream: the bytes that
    /// <see cref="Save(string, IReadOnlyDictionary{string, Tensor}, IReadOnlyDictionary{string, string})"/> gives a file.</summary>
    /// <param name="stream">Where to write; it is flushed and left open.</param>
    /// <param name="tensors">As for a file.</param>
    /// <param name="metadata">As for a file.</param>
    /// <exception cref="ArgumentException">
    /// A name is not valid, or a tensor is disposed, sparse, without data or of another
    /// dtype, or the stream is closed or cannot be written. Nothing was written.
    /// </exception>
    public static void Save(Stream stream, IReadOnlyDictionary<string, Tensor> tensors,
        IReadOnlyDictionary<string, string>? metadata = null) =>
        Save(new SafeTensorsTarget(stream), tensors, metadata);

    internal static void Save(SafeTensorsTarget target, IReadOnlyDictionary<string, Tensor> tensors,
        IReadOnlyDictionary<string, string>? metadata)
    {
        ArgumentNullException.ThrowIfNull(tensors);
        target.Write(new SafeTensorsWriter(tensors, metadata).WriteTo);
    }

    /// <summary>Reads the whole file into new tensors on the CPU.</summary>
    /// <param name="path">The file.</param>
    /// <returns>The tensors and metadata. The caller disposes it, and the tensors with it.</returns>
    /// <remarks>Each tensor is read straight into its own memory. When this fails, the tensors that were made are disposed.</remarks>
    /// <exception cref="InvalidDataException">The file is damaged, is no
    /// safetensors file, or has a dtype that is not supported.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static SafeTensorsFile Load(string path)
    {
        using var reader = SafeTensorsReader.Open(path);
        return reader.ReadTensors();
    }

    /// <summary>Reads one file from a stream into new tensors on the CPU, up to its last byte and no further.</summary>
    /// <param name="stream">Stands at the first byte of the file; it is left open.</param>
    /// <returns>The tensors and metadata. The caller disposes it, and the tensors with it.</returns>
    /// <remarks>If the stream does not tell its length, memory is allocated as
    /// the bytes come, and not because the header says how many will.</remarks>
    /// <exception cref="InvalidDataException">The file is damaged or cut off, is no
    /// safetensors file, or has a dtype that is not supported.</exception>
    /// <exception cref="ArgumentException">The stream is closed or cannot be read.</exception>
    public static SafeTensorsFile Load(Stream stream)
    {
        using var reader = SafeTensorsReader.Of(stream);
        return reader.ReadTensors();
    }

    /// <summary>Reads the names, shapes, dtypes and metadata; no tensor is made and no data is read.</summary>
    /// <param name="path">The file.</param>
    /// <remarks>The header is checked against the size of the file, as <c>Load</c> does.</remarks>
    /// <exception cref="InvalidDataException">The file is damaged, is no
    /// safetensors file, or has a dtype that is not supported.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static SafeTensorsHeader ReadHeader(string path)
    {
        using var reader = SafeTensorsReader.Open(path);
        return reader.Header;
    }

    /// <summary>Reads the names, shapes, dtypes and metadata from a stream; no tensor is made.</summary>
    /// <param name="stream">Stands at the first byte of the file. It is left open,
    /// and stands at the first byte of the tensors' data afterwards.</param>
    /// <exception cref="InvalidDataException">The file is damaged or cut off, is no
    /// safetensors file, or has a dtype that is not supported.</exception>
    /// <exception cref="ArgumentException">The stream is closed or cannot be read.</exception>
    public static SafeTensorsHeader ReadHeader(Stream stream)
    {
        using var reader = SafeTensorsReader.Of(stream);
        return reader.Header;
    }
}
