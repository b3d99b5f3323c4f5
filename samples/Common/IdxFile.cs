using System.Buffers.Binary;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp.Samples.Common;

/// <summary>Reads files in the idx format of MNIST that hold bytes: plain, or compressed as .gz or .br.</summary>
/// <remarks>Format: two zero bytes, the type (8 = unsigned byte), the
/// number of dimensions, each size as big-endian int32, the data.</remarks>
public static class IdxFile
{
    private const int MaxRank = 4;

    /// <summary>Reads a whole file.</summary>
    /// <param name="path">The file. An ending of .gz or .br means gzip or brotli.</param>
    /// <returns>A new uint8 tensor of the shape that the file states, 1 to 4 dimensions, that the caller disposes.</returns>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="DataFormatException">It is no idx file of bytes, or it is shorter or longer than its header says.</exception>
    public static Tensor Read(string path) => ByteSource.Read(path, stream =>
    {
        var shape = ReadShape(path, stream);
        long size = 1;
        // each size is below 2^31 and the product so far too, so this cannot overflow
        foreach (var n in shape)
            if ((size *= n) is 0 or > int.MaxValue - 64)
                throw new DataFormatException(
                    $"{path}: the header states the shape ({string.Join(", ", shape)}); expected at least 1 and less than 2,147,483,584 " +
                    $"bytes of data.");
        var data = ByteSource.UpTo(stream, size + 1);
        if (data.Count != size)
            throw new DataFormatException(
                $"{path}: the header states the shape ({string.Join(", ", shape)}), which is {size} bytes of data; the file holds " +
                    $"{(data.Count < size ? $"only {data.Count}" : "more")}.");
        var tensor = empty(shape, uint8);
        data.AsSpan().CopyTo(tensor.bytes);
        return tensor;
    });

    private static long[] ReadShape(string path, Stream stream)
    {
        Span<byte> magic = stackalloc byte[4];
        if (stream.ReadAtLeast(magic, 4, throwOnEndOfStream: false) < 4 || magic[0] != 0 || magic[1] != 0 || magic[2] != 8
            || magic[3] is < 1 or > MaxRank)
            throw new DataFormatException(
                $"{path} starts with the bytes {Convert.ToHexString(magic)}; an idx file of unsigned bytes starts with 000008 and its " +
                    $"number of dimensions, 01 to 0{MaxRank}.");
        var shape = new long[magic[3]];
        Span<byte> number = stackalloc byte[4];
        for (var i = 0; i < shape.Length; i++)
        {
            if (stream.ReadAtLeast(number, 4, throwOnEndOfStream: false) < 4)
                throw new DataFormatException(
                    $"{path} ends within its header; expected {shape.Length} sizes of 4 bytes after the first 4 bytes.");
            shape[i] = BinaryPrimitives.ReadUInt32BigEndian(number);
        }
        return shape;
    }
}
