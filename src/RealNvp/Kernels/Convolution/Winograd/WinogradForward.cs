namespace RealNvp.Kernels;

/// <summary>The convolution: images that lie channels last to such images. The gradient of its input is a convolution too.</summary>
internal static unsafe class WinogradForward
{
    /// <summary>Runs the convolution.</summary>
    /// <param name="shape">Its sizes; C is half a vector at least.</param>
    /// <param name="input">(N, H, W, C).</param>
    /// <param name="border">What is around the input.</param>
    /// <param name="weight">(K, C, 3, 3).</param>
    /// <param name="bias">(K), or null.</param>
    /// <param name="addend">(N, H, W, K), added to it; may be <paramref name="output"/>, and null if there is none.</param>
    /// <param name="output">(N, H, W, K).</param>
    public static void Run<TLanes>(WinogradShape shape, float* input, float border, WinogradWeight weight, float* bias, float* addend,
        float* output)
        where TLanes : struct, ILanes<TLanes, float>
    {
        var panels = KernelScratch.Shared(WinogradWeights.Size(shape, TLanes.Count));
        WinogradWeights.Transform<TLanes>(shape, weight, panels);
        KernelThreads.For(shape.Blocks, shape.Work, DenseCall.Grain, (start, end) => Blocks<TLanes>(shape, input, border, panels, bias,
            addend, output, (int)start, (int)end));
    }

    private static void Blocks<TLanes>(WinogradShape shape, float* input, float border, float* panels, float* bias, float* addend,
        float* output, int start, int end) where TLanes : struct, ILanes<TLanes, float>
    {
        var stride = WinogradShape.Stride(shape.C);
        var cut = DensePanels.Of<float>(TLanes.Count);
        var (plane, largest) = (WinogradShape.Plane(stride), WinogradShape.Plane(cut.Full));
        var patches = KernelScratch.Own((WinogradShape.Positions * (plane + largest)) + stride + WinogradShape.Stride(shape.K));
        var products = patches + (WinogradShape.Positions * plane);
        var outside = products + (WinogradShape.Positions * largest);
        new Span<float>(outside, stride).Fill(border);
        var added = outside + stride;
        new Span<float>(added, WinogradShape.Stride(shape.K)).Clear();
        if (bias != null) new ReadOnlySpan<float>(bias, shape.K).CopyTo(new Span<float>(added, shape.K));
        for (var block = start; block < end; block++)
        {
            var first = block * shape.Block;
            var tiles = Math.Min(shape.Block, shape.Tiles - first);
            WinogradTiles.Patches<TLanes>(shape, input, outside, first, tiles, patches);
            // a panel's products are transformed back while they are in the caches
            for (var column = 0; column < shape.K; column += cut.Full)
            {
                var width = cut.Width(column, shape.K);
                var apart = WinogradShape.Plane(width);
                var panel = panels + WinogradWeights.PanelAt(shape, column);
                for (var position = 0; position < WinogradShape.Positions; position++)
                    DenseProduct.Multiply<TLanes, float>(patches + (position * plane), stride, 1,
                        panel + ((nint)position * shape.C * width), width, tiles, width, shape.C,
                        new DenseFinish<float> { Result = products + (position * apart), Stride = width });
                WinogradTiles.Outputs<TLanes>(shape, products, width, added + column, column, first, tiles, addend, output);
            }
        }
    }
}
