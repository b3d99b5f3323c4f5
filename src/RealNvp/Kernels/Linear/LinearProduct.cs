namespace RealNvp.Kernels;

/// <summary>M·(x + b) + c at each pixel of images or for each row of numbers, which are examples of one pixel; with M (C, C), b and c
/// (C) in the order in which the product of these reads them.</summary>
internal sealed unsafe class LinearProduct : IDisposable
{
    private readonly int channels, pixels, stride;
    private readonly bool hasBefore;
    private readonly KernelRoom room;
    private readonly float* numbers;

    /// <param name="channels">C.</param>
    /// <param name="pixels">H·W.</param>
    /// <param name="hasBefore">Whether there is b.</param>
    public LinearProduct(int channels, int pixels, bool hasBefore = false)
    {
        (this.channels, this.pixels, this.hasBefore) = (channels, pixels, hasBefore);
        stride = pixels == 1 ? VectorProduct.Stride(channels) : channels;
        room = new((channels + 2) * stride);
        numbers = room.Memory;
        new Span<float>(numbers, (channels + 2) * stride).Clear();
    }

    /// <summary>An element of M. All are 0 at first.</summary>
    public ref float this[int row, int column] => ref numbers[pixels == 1 ? (column * stride) + row : (row * stride) + column];

    /// <summary>c. It is 0 at first.</summary>
    public Span<float> Added => new(numbers + (channels * stride), channels);

    /// <summary>b. It is 0 at first.</summary>
    public Span<float> Before => new(numbers + ((channels + 1) * stride), channels);

    private float* B => hasBefore ? numbers + ((channels + 1) * stride) : null;

    /// <summary>The numbers of a row of a gradient.</summary>
    public static int Width(int channels, int pixels) => pixels == 1 ? VectorProduct.Width(channels) : PixelLanes.Width(channels);

    /// <summary>Adds Σ g·(x + b)ᵀ over the pixels of all examples to rows of <see cref="Width"/>, and behind the C of each row
    /// Σ g.</summary>
    public void AddGradient(float* x, float* g, int examples, float* sums)
    {
        if (pixels == 1)
        {
            VectorProduct.AddGradient(x, B, g, channels, examples, sums);
            return;
        }
        var room = KernelScratch.Own(PixelLanes.Scratch(channels));
        var each = channels * pixels;
        for (var n = 0; n < examples; n++, x += each, g += each) PixelLanes.AddGradient(x, B, g, channels, pixels, sums, room);
    }

    /// <summary>y = M·(x + b) + c for examples that lie one after the other.</summary>
    public void Run(float* x, float* y, int examples)
    {
        var added = numbers + (channels * stride);
        if (pixels == 1)
        {
            VectorProduct.Run(numbers, B, added, x, y, channels, examples);
            return;
        }
        var room = KernelScratch.Own(PixelLanes.Scratch(channels));
        var each = channels * pixels;
        for (var n = 0; n < examples; n++, x += each, y += each) PixelLanes.Run(numbers, B, added, x, y, channels, pixels, room);
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
