using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>The memory of tensors, for moving bytes without a copy in between.</summary>
internal static class SafeTensorsData
{
    // A span holds less than 2 GiB; a power of two keeps whole elements together.
    private const long PieceBytes = 1L << 28;

    /// <summary>Hands the bytes of a contiguous CPU tensor, of any size, to
    /// <paramref name="use"/> piece by piece, from an element on.</summary>
    public static void ForEachPiece(Tensor tensor, long from, SpanAction use)
    {
        using var flat = tensor.view(-1);
        var step = PieceBytes / flat.ElementSize;
        var count = flat.numel();
        for (var start = from; start < count; start += step)
        {
            using var piece = flat.narrow(0, start, Math.Min(step, count - start));
            use(piece.bytes);
        }
    }

    public delegate void SpanAction(Span<byte> bytes);
}
