using Microsoft.Win32.SafeHandles;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Moves bytes between a file and tensors without a copy in between.</summary>
internal static class SafeTensorsData
{
    // A span holds less than 2 GiB; a power of two keeps whole elements together.
    private const long PieceBytes = 1L << 28;

    /// <summary>Hands the bytes of a contiguous CPU tensor, of any size, to <paramref name="use"/> piece by piece.</summary>
    public static void ForEachPiece(Tensor tensor, SpanAction use)
    {
        using var flat = tensor.view(-1);
        var step = PieceBytes / flat.ElementSize;
        var count = flat.numel();
        for (long start = 0; start < count; start += step)
        {
            using var piece = flat.narrow(0, start, Math.Min(step, count - start));
            use(piece.bytes, start * flat.ElementSize);
        }
    }

    /// <summary>Reads a tensor's data; their CRC where that is wanted.</summary>
    public static uint Read(SafeFileHandle file, string path, long position, SafeTensorsEntry entry, Tensor into, bool counts)
    {
        var crc = ~0u;
        ForEachPiece(into, (bytes, offset) =>
        {
            ReadExactly(file, path, bytes, position + offset);
            if (counts) crc = Checksum.Add(crc, bytes);
            // A bool that is neither 0 nor 1 makes native code undefined.
            if (entry.DType == ScalarType.Bool && bytes.ContainsAnyExceptInRange((byte)0, (byte)1))
                throw new InvalidDataException($"'{path}': the BOOL tensor '{entry.Name}' has a byte other than 0 and 1. The file is damaged: copy or save it again.");
        });
        return crc;
    }

    public static void ReadExactly(SafeFileHandle file, string path, Span<byte> bytes, long position)
    {
        while (bytes.Length > 0)
        {
            var read = RandomAccess.Read(file, bytes, position);
            if (read == 0) throw new InvalidDataException($"'{path}' ended at byte {position} while {bytes.Length} more bytes were expected. Another program may have changed it: read it again.");
            bytes = bytes[read..];
            position += read;
        }
    }

    public delegate void SpanAction(Span<byte> bytes, long offset);
}
