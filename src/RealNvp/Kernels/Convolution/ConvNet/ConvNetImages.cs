namespace RealNvp.Kernels;

/// <summary>What the first convolution reads of images, and where the gradient of what it read goes.</summary>
internal static unsafe class ConvNetImages
{
    /// <summary>Copies images with any distances between their numbers to (N, H + 2, W + 2, I), with zeros at the border.</summary>
    public static void Pad(ConvNetShape shape, float* images, ReadOnlySpan<long> strides, float* to)
    {
        var (byImage, byChannel, byRow, byPixel) = (strides[0], strides[1], strides[2], strides[3]);
        var (across, each) = (shape.W + 2, (long)(shape.H + 2) * (shape.W + 2) * shape.I);
        // a number of these takes about a nanosecond, as long as 64 multiply-adds
        KernelThreads.For(shape.N, 64.0 * shape.N * each, DenseCall.Grain, (start, end) =>
        {
            for (var n = start; n < end; n++)
            {
                var padded = to + (n * each);
                new Span<float>(padded, (int)each).Clear();
                for (var y = 0; y < shape.H; y++)
                    for (var c = 0; c < shape.I; c++)
                    {
                        var from = images + (n * byImage) + (c * byChannel) + (y * byRow);
                        var into = padded + ((((y + 1L) * across) + 1) * shape.I) + c;
                        for (var x = 0; x < shape.W; x++, from += byPixel, into += shape.I) *into = *from;
                    }
            }
        });
    }

    /// <summary>The taps under some pixels, a row each: by position in reading order, then by channel.</summary>
    public static void Patches<TLanes>(ConvNetShape shape, float* padded, int first, int count, float* to)
        where TLanes : struct, ILanes<TLanes, float>
    {
        nint three = 3 * shape.I, line = (nint)(shape.W + 2) * shape.I, stride = shape.Stride;
        for (var p = first; p < first + count; p++, to += stride)
        {
            var row = p / shape.W;
            var (image, y) = (row / shape.H, row % shape.H);
            var from = padded + ((((nint)image * (shape.H + 2)) + y) * line) + ((nint)(p % shape.W) * shape.I);
            for (nint down = 0; down < 3; down++)
            {
                float* source = from + (down * line), row3 = to + (down * three);
                // what is written beyond a row of three is written over by the next, or lies beyond the taps
                for (nint i = 0; i < three; i += TLanes.Count) TLanes.Store(TLanes.Load(source + i), row3 + i);
            }
        }
    }

    /// <summary>Adds the gradients of taps up at the pixels that they were read from; the adjoint of <see cref="Patches"/>.</summary>
    /// <param name="shape">The sizes.</param>
    /// <param name="taps">A row for each pixel.</param>
    /// <param name="to">Gets the gradient of the images: planes of pixels, one channel after the other.</param>
    /// <param name="apart">From one image of it to the next.</param>
    /// <param name="addend">Added to it, of the same distances; null if there is none.</param>
    public static void Gather<TLanes>(ConvNetShape shape, float* taps, float* to, nint apart, float* addend)
        where TLanes : struct, ILanes<TLanes, float>
    {
        KernelThreads.For((long)shape.N * shape.H, 8.0 * shape.Pixels * shape.Taps, DenseCall.Grain, (start, end) =>
        {
            for (var row = start; row < end; row++) Row<TLanes>(shape, taps, to, apart, addend, row);
        });
    }

    private static void Row<TLanes>(ConvNetShape shape, float* taps, float* to, nint apart, float* addend, long row)
        where TLanes : struct, ILanes<TLanes, float>
    {
        nint channels = shape.I, stride = shape.Stride, plane = (nint)shape.H * shape.W;
        var sums = stackalloc float[(shape.I + 15) / 16 * 16];
        var (image, y) = ((nint)(row / shape.H), (int)(row % shape.H));
        int top = y + 1 < shape.H ? 0 : 1, bottom = y > 0 ? 2 : 1;
        var at = (image * apart) + ((nint)y * shape.W);
        for (var x = 0; x < shape.W; x++, at++)
        {
            int left = x + 1 < shape.W ? 0 : 1, right = x > 0 ? 2 : 1;
            for (nint c = 0; c < channels; c += TLanes.Count)
            {
                var sum = TLanes.Zero;
                for (var down = top; down <= bottom; down++)
                    for (var across = left; across <= right; across++)
                        sum += TLanes.Load(taps + (((image * plane) + ((nint)(y + 1 - down) * shape.W) + x + 1 - across) * stride)
                            + (((3 * down) + across) * channels) + c);
                TLanes.Store(sum, sums + c);
            }
            var into = to + at;
            if (addend == null) for (nint c = 0; c < channels; c++) into[c * plane] = sums[c];
            else for (nint c = 0; c < channels; c++) into[c * plane] = addend[at + (c * plane)] + sums[c];
        }
    }
}
