namespace RealNvp.Kernels;

/// <summary>A 3×3 convolution of images of few channels: rows of the numbers under each pixel times a weight (M, taps, I).</summary>
internal static unsafe class PatchConvolution
{
    /// <summary>Runs the convolution.</summary>
    /// <param name="shape">The sizes; M is whole vectors, O is not used.</param>
    /// <param name="padded">The images, as <see cref="ConvNetImages.Pad"/> gives them.</param>
    /// <param name="weight">(M, 9, I).</param>
    /// <param name="bias">(M).</param>
    /// <param name="output">Gets (N, H, W, M).</param>
    public static void Forward<TLanes>(ConvNetShape shape, float* padded, float* weight, float* bias, float* output)
        where TLanes : struct, ILanes<TLanes, float>
    {
        var panels = KernelScratch.Shared(DensePacking.Size(shape.M, shape.Taps, TLanes.Count));
        DensePacking.Forward(weight, null, shape.Taps, shape.M, shape.Taps, DensePanels.Of<float>(TLanes.Count), panels);
        KernelThreads.For(shape.Blocks, (double)shape.Pixels * shape.M * shape.Taps, DenseCall.Grain, (start, end) =>
        {
            var patches = KernelScratch.Own(ConvNetShape.Block * (long)shape.Stride);
            for (var block = (int)start; block < end; block++)
            {
                var at = block * ConvNetShape.Block;
                var count = Math.Min(ConvNetShape.Block, shape.Pixels - at);
                ConvNetImages.Patches<TLanes>(shape, padded, at, count, patches);
                DenseProduct.Multiply<TLanes, float>(patches, shape.Stride, 1, panels, 0, count, shape.M, shape.Taps,
                    new DenseFinish<float> { Bias = bias, Result = output + ((nint)at * shape.M), Stride = shape.M });
            }
        });
    }

    /// <summary>The gradients; those that are null are left out.</summary>
    /// <param name="shape">The sizes.</param>
    /// <param name="padded">The images with their border.</param>
    /// <param name="gradient">Of the output.</param>
    /// <param name="weight">(M, 9, I).</param>
    /// <param name="taps">Gets the gradients of the taps of each pixel, for <see cref="ConvNetImages.Gather"/>.</param>
    /// <param name="ofWeight">Gets that of the weight, in rows of <see cref="ConvNetShape.Stride"/>.</param>
    /// <param name="ofBias">Gets that of the bias.</param>
    public static void Backward<TLanes>(ConvNetShape shape, float* padded, float* gradient, float* weight, float* taps, float* ofWeight,
        float* ofBias) where TLanes : struct, ILanes<TLanes, float>
    {
        int m = shape.M, stride = shape.Stride, packed = DensePacking.Size(shape.Taps, m, TLanes.Count);
        var (blocks, shares) = (shape.GradientBlocks, shape.Shares);
        var size = (nint)m * (stride + 1);
        var panels = KernelScratch.Shared(packed + (shares * size));
        var sums = panels + packed;
        if (taps != null) DensePacking.Backward(weight, null, shape.Taps, m, shape.Taps, DensePanels.Of<float>(TLanes.Count), panels);
        KernelThreads.For(shares, 2.0 * shape.Pixels * m * shape.Taps, DenseCall.Grain, (start, end) =>
        {
            var patches = KernelScratch.Own(ConvNetShape.GradientBlock * (long)stride);
            for (var share = (nint)start; share < end; share++)
            {
                var product = sums + (share * size);
                var bias = product + ((nint)m * stride);
                new Span<float>(bias, m).Clear();
                var first = (int)(blocks * share / shares);
                for (var block = first; block < blocks * (share + 1) / shares; block++)
                {
                    var at = block * ConvNetShape.GradientBlock;
                    var count = Math.Min(ConvNetShape.GradientBlock, shape.Pixels - at);
                    var rows = gradient + ((nint)at * m);
                    if (ofWeight != null)
                    {
                        ConvNetImages.Patches<TLanes>(shape, padded, at, count, patches);
                        DenseProduct.Multiply<TLanes, float>(rows, 1, m, patches, stride, m, shape.Taps, count,
                            new DenseFinish<float> { Addend = block == first ? null : product, Result = product, Stride = stride });
                        RowShares.AddRows<TLanes>(rows, count, m, bias);
                    }
                    if (taps != null)
                        DenseProduct.Multiply<TLanes, float>(rows, m, 1, panels, 0, count, shape.Taps, m,
                            new DenseFinish<float> { Result = taps + ((nint)at * stride), Stride = stride });
                }
            }
        });
        if (ofWeight == null) return;
        RowShares.Add(sums, size, shares, ofWeight, (nint)m * stride);
        RowShares.Add(sums + ((nint)m * stride), size, shares, ofBias, m);
    }
}
