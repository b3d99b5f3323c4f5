namespace RealNvp.Kernels;

/// <summary>The gradients of the weight and the bias: dU = Σ over tiles of V dMᵀ, in shares of the tiles that are added in order.</summary>
internal static unsafe class WinogradBackward
{
    /// <summary>Computes the gradients.</summary>
    /// <param name="shape">The sizes of the convolution; C is half a vector at least.</param>
    /// <param name="input">(N, H, W, C).</param>
    /// <param name="border">What is around the input.</param>
    /// <param name="gradient">Of the output, (N, H, W, K).</param>
    /// <param name="weight">Gets the gradient of the weight (K, C, 3, 3).</param>
    /// <param name="bias">Gets the gradient of the bias (K), unless it is null.</param>
    public static void Run<TLanes>(WinogradShape shape, float* input, float border, float* gradient, WinogradWeight weight, float* bias)
        where TLanes : struct, ILanes<TLanes, float>
    {
        var size = (nint)WinogradWeights.Size(shape, TLanes.Count);
        var share = size + WinogradShape.Stride(shape.K);
        var shares = KernelScratch.Shared((long)shape.Shares * share);
        KernelThreads.For(shape.Shares, shape.Work, DenseCall.Grain, (start, end) =>
        {
            for (var i = start; i < end; i++)
            {
                var sum = shares + ((nint)i * share);
                Share<TLanes>(shape, input, border, gradient, (int)(shape.Blocks * i / shape.Shares),
                    (int)(shape.Blocks * (i + 1) / shape.Shares), sum, sum + size);
            }
        });
        WinogradWeights.Gradient<TLanes>(shape, shares, share, weight);
        if (bias == null) return;
        for (var k = 0; k < shape.K; k++)
        {
            bias[k] = 0;
            for (var i = 0; i < shape.Shares; i++) bias[k] += shares[(i * share) + size + k];
        }
    }

    private static void Share<TLanes>(WinogradShape shape, float* input, float border, float* gradient, int start, int end, float* panels,
        float* sums) where TLanes : struct, ILanes<TLanes, float>
    {
        var stride = WinogradShape.Stride(shape.C);
        var cut = DensePanels.Of<float>(TLanes.Count);
        var (plane, largest) = (WinogradShape.Plane(stride), WinogradShape.Plane(cut.Full));
        var patches = KernelScratch.Own((WinogradShape.Positions * (plane + largest)) + stride);
        var gradients = patches + (WinogradShape.Positions * plane);
        var outside = gradients + (WinogradShape.Positions * largest);
        new Span<float>(outside, stride).Fill(border);
        new Span<float>(sums, WinogradShape.Stride(shape.K)).Clear();
        for (var block = start; block < end; block++)
        {
            var first = block * shape.Block;
            var tiles = Math.Min(shape.Block, shape.Tiles - first);
            WinogradTiles.Patches<TLanes>(shape, input, outside, first, tiles, patches);
            for (var column = 0; column < shape.K; column += cut.Full)
            {
                var width = cut.Width(column, shape.K);
                var apart = WinogradShape.Plane(width);
                WinogradTiles.Gradients<TLanes>(shape, gradient, column, width, first, tiles, gradients, sums + column);
                for (var position = 0; position < WinogradShape.Positions; position++)
                {
                    var panel = panels + WinogradWeights.PanelAt(shape, column) + ((nint)position * shape.C * width);
                    DenseProduct.Multiply<TLanes, float>(patches + (position * plane), 1, stride, gradients + (position * apart), width,
                        shape.C, width, tiles,
                        new DenseFinish<float> { Addend = block > start ? panel : null, Result = panel, Stride = width });
                }
            }
        }
    }
}
