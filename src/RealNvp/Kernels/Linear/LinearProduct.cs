namespace RealNvp.Kernels;

/// <summary>A matrix M (C, C) and what is added, c (C), at each pixel of images or for each row of numbers, which are examples of one
/// pixel: in the order in which the product of these reads them.</summary>
internal sealed unsafe class LinearProduct : IDisposable
{
    private readonly int channels, pixels, stride;
    private readonly KernelRoom room;
    private readonly float* numbers;

    /// <param name="channels">C.</param>
    /// <param name="pixels">H·W.</param>
    public LinearProduct(int channels, int pixels)
    {
        (this.channels, this.pixels) = (channels, pixels);
        stride = pixels == 1 ? VectorProduct.Stride(channels) : channels;
        room = new((channels + 1) * stride);
        numbers = room.Memory;
        new Span<float>(numbers, (channels + 1) * stride).Clear();
    }

    /// <summary>An element of M. All are 0 at first.</summary>
    public ref float this[int row, int column] => ref numbers[pixels == 1 ? (column * stride) + row : (row * stride) + column];

    /// <summary>c. It is 0 at first.</summary>
    public Span<float> Added => new(numbers + (channels * stride), channels);

    /// <summary>The numbers of a row of a gradient.</summary>
    public static int Width(int channels, int pixels) => pixels == 1 ? VectorProduct.Width(channels) : PixelLanes.Width(channels);

    /// <summary>Adds Σ g·xᵀ over the pixels of all examples to rows of <see cref="Width"/>, and behind the C of each row Σ g.</summary>
    public static void AddGradient(float* x, float* g, int channels, int pixels, int examples, float* sums)
    {
        if (pixels == 1)
        {
            VectorProduct.AddGradient(x, g, channels, examples, sums);
            return;
        }
        var room = KernelScratch.Own(PixelLanes.Scratch(channels));
        var each = channels * pixels;
        for (var n = 0; n < examples; n++, x += each, g += each) PixelLanes.AddGradient(x, g, channels, pixels, sums, room);
    }

    /// <summary>y = M·x + c for examples that lie one after the other.</summary>
    public void Run(float* x, float* y, int examples)
    {
        var added = numbers + (channels * stride);
        if (pixels == 1)
        {
            VectorProduct.Run(numbers, added, x, y, channels, examples);
            return;
        }
        var room = KernelScratch.Own(PixelLanes.Scratch(channels));
        var each = channels * pixels;
        for (var n = 0; n < examples; n++, x += each, y += each) PixelLanes.Run(numbers, added, x, y, channels, pixels, room);
    }

    /// <summary>Mᵀ, with nothing added.</summary>
    public LinearProduct Turned()
    {
        var turned = new LinearProduct(channels, pixels);
        for (var i = 0; i < channels; i++)
            for (var j = 0; j < channels; j++) turned[j, i] = this[i, j];
        return turned;
    }

    /// <inheritdoc/>
    public void Dispose() => room.Dispose();
}
