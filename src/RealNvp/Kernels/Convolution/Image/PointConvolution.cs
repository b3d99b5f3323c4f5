namespace RealNvp.Kernels;

/// <summary>A 1×1 convolution of images that lie channels last: rows of pixels times a weight (O, I). Both are whole vectors wide, but for
/// the outputs of <see cref="Forward"/> without a sum, and of <see cref="Backward"/>.</summary>
internal static unsafe class PointConvolution
{
    // pixels that go together: a multiple of the rows of tiles, and steps enough for a tall one in the gradient of the weight
    private const int Block = 144;

    /// <summary>y = W·x + b at each pixel, or y + W·x + b.</summary>
    /// <param name="x">(pixels, I).</param>
    /// <param name="pixels">The pixels.</param>
    /// <param name="inputs">I.</param>
    /// <param name="outputs">O.</param>
    /// <param name="weight">(O, I).</param>
    /// <param name="bias">(O).</param>
    /// <param name="adds">Whether it is added to what y has.</param>
    /// <param name="y">(pixels, O).</param>
    public static void Forward<TLanes>(float* x, int pixels, int inputs, int outputs, float* weight, float* bias, bool adds, float* y)
        where TLanes : struct, ILanes<TLanes, float>
    {
        var (size, whole) = (DensePacking.Size(outputs, inputs, TLanes.Count), WinogradShape.Whole(outputs, TLanes.Count));
        var panels = KernelScratch.Shared(size + whole);
        var added = panels + size;
        new Span<float>(added, whole).Clear();
        new ReadOnlySpan<float>(bias, outputs).CopyTo(new Span<float>(added, outputs));
        DensePacking.Forward(weight, null, inputs, outputs, inputs, DensePanels.Of<float>(TLanes.Count), panels);
        KernelThreads.For((pixels + Block - 1) / Block, (double)pixels * inputs * outputs, DenseCall.Grain, (start, end) =>
        {
            // rows that are no whole vectors would write over the next one
            var rows = whole == outputs ? null : KernelScratch.Own((nint)Block * whole);
            for (var at = (nint)start * Block; at < Math.Min(end * Block, pixels); at += Block)
            {
                var count = (int)Math.Min(Block, pixels - at);
                var to = y + (at * outputs);
                DenseProduct.Multiply<TLanes, float>(x + (at * inputs), inputs, 1, panels, 0, count, outputs, inputs,
                    new DenseFinish<float> { Bias = added, Addend = adds ? to : null, Result = rows == null ? to : rows, Stride = whole });
                for (var row = 0; row < count && rows != null; row++)
                    new ReadOnlySpan<float>(rows + (row * whole), outputs).CopyTo(new Span<float>(to + (row * outputs), outputs));
            }
        });
    }

    /// <summary>The gradients.</summary>
    /// <param name="x">(pixels, I).</param>
    /// <param name="gradient">Of y, (pixels, O).</param>
    /// <param name="pixels">The pixels.</param>
    /// <param name="inputs">I: whole vectors.</param>
    /// <param name="outputs">O, any number.</param>
    /// <param name="weight">(O, I).</param>
    /// <param name="adds">Whether the gradient of x is added to what is there.</param>
    /// <param name="ofX">Gets it.</param>
    /// <param name="ofWeight">Gets the gradient of the weight, unless it is null.</param>
    /// <param name="ofBias">Gets that of the bias, unless it is null.</param>
    public static void Backward<TLanes>(float* x, float* gradient, int pixels, int inputs, int outputs, float* weight, bool adds,
        float* ofX, float* ofWeight, float* ofBias) where TLanes : struct, ILanes<TLanes, float>
    {
        var packed = DensePacking.Size(inputs, outputs, TLanes.Count);
        var (blocks, shares) = ((pixels + Block - 1) / Block, RowShares.Count(pixels));
        var size = (nint)(outputs * inputs) + outputs;
        var panels = KernelScratch.Shared(packed + (shares * size));
        var sums = panels + packed;
        DensePacking.Backward(weight, null, inputs, outputs, inputs, DensePanels.Of<float>(TLanes.Count), panels);
        KernelThreads.For(shares, 2.0 * pixels * inputs * outputs, DenseCall.Grain, (start, end) =>
        {
            for (var share = (nint)start; share < end; share++)
            {
                var product = sums + (share * size);
                var bias = product + ((nint)outputs * inputs);
                nint first = blocks * share / shares * Block, last = Math.Min(blocks * (share + 1) / shares * Block, pixels);
                if (ofBias != null) new Span<float>(bias, outputs).Clear();
                for (var at = first; at < last; at += Block)
                {
                    var count = (int)Math.Min(Block, last - at);
                    float* rows = gradient + (at * outputs), to = ofX + (at * inputs);
                    if (ofWeight != null)
                        DenseProduct.Multiply<TLanes, float>(rows, 1, outputs, x + (at * inputs), inputs, outputs, inputs, count,
                            new DenseFinish<float> { Addend = at == first ? null : product, Result = product, Stride = inputs });
                    if (ofBias != null) RowShares.AddRows<TLanes>(rows, count, outputs, bias);
                    DenseProduct.Multiply<TLanes, float>(rows, outputs, 1, panels, 0, count, inputs, outputs,
                        new DenseFinish<float> { Addend = adds ? to : null, Result = to, Stride = inputs });
                }
            }
        });
        if (ofWeight != null) RowShares.Add(sums, size, shares, ofWeight, (nint)outputs * inputs);
        if (ofBias != null) RowShares.Add(sums + ((nint)outputs * inputs), size, shares, ofBias, outputs);
    }
}
