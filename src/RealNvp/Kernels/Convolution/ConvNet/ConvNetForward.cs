namespace RealNvp.Kernels;

/// <summary>The network from images to parameters: a block of pixels goes through both inner layers while it is in the caches.</summary>
internal static unsafe class ConvNetForward
{
    /// <summary>Runs the network.</summary>
    /// <param name="shape">The sizes; M is whole vectors.</param>
    /// <param name="padded">The images, as <see cref="ConvNetImages.Pad"/> gives them.</param>
    /// <param name="weights">The weights.</param>
    /// <param name="last">The last weight and bias, scaled.</param>
    /// <param name="inner">Gets relu of the first layer, (pixels, M), unless it is null.</param>
    /// <param name="outer">Gets relu of the second layer.</param>
    /// <param name="output">Gets (N, H, W, O).</param>
    public static void Run<TLanes>(ConvNetShape shape, float* padded, ConvNetWeights weights, float* last, float* inner, float* outer,
        float* output) where TLanes : struct, ILanes<TLanes, float>
    {
        int first = DensePacking.Size(shape.M, shape.Taps, TLanes.Count), second = DensePacking.Size(shape.M, shape.M, TLanes.Count);
        var panels = KernelScratch.Shared((long)first + second + (shape.M * (long)shape.Taps));
        weights.PackInner(shape, DensePanels.Of<float>(TLanes.Count), backward: false, panels + first + second, panels, panels + first);
        KernelThreads.For(shape.Blocks, shape.Work, DenseCall.Grain, (start, end) =>
        {
            // rows that do not push each other out of the cache
            var apart = inner == null ? DenseProduct.Stride(shape.M) : shape.M;
            var patches = KernelScratch.Own(ConvNetShape.Block * ((long)shape.Stride + apart));
            for (var block = (int)start; block < end; block++)
            {
                var at = block * ConvNetShape.Block;
                var count = Math.Min(ConvNetShape.Block, shape.Pixels - at);
                var hidden = inner == null ? patches + (ConvNetShape.Block * (nint)shape.Stride) : inner + ((nint)at * shape.M);
                ConvNetImages.Patches<TLanes>(shape, padded, at, count, patches);
                DenseProduct.Multiply<TLanes, float>(patches, shape.Stride, 1, panels, 0, count, shape.M, shape.Taps,
                    new DenseFinish<float> { Bias = weights.FirstBias, Relu = hidden, Stride = apart });
                DenseProduct.Multiply<TLanes, float>(hidden, apart, 1, panels + first, 0, count, shape.M, shape.M,
                    new DenseFinish<float> { Bias = weights.SecondBias, Relu = outer + ((nint)at * shape.M), Stride = shape.M });
            }
        });
        WinogradForward.Run<TLanes>(shape.Last, outer, 1, ConvNetWeights.Taps(last, shape.M), last + (9 * (nint)shape.M * shape.O), null,
            output);
    }
}
