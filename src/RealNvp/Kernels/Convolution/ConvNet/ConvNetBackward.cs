namespace RealNvp.Kernels;

/// <summary>The gradients of the network's first two layers, from that of the second layer's relu.</summary>
internal static unsafe class ConvNetBackward
{
    /// <summary>Computes the gradients; those that are null are left out.</summary>
    /// <param name="shape">The sizes; M is whole vectors.</param>
    /// <param name="padded">The images, as <see cref="ConvNetImages.Pad"/> gives them.</param>
    /// <param name="weights">The weights.</param>
    /// <param name="inner">Relu of the first layer.</param>
    /// <param name="outer">Relu of the second layer.</param>
    /// <param name="ofOuter">The gradient of <paramref name="outer"/>, which is written over.</param>
    /// <param name="taps">Gets the gradients of the taps of each pixel.</param>
    /// <param name="result">Get the gradients of the weights of both layers; its pointers are null together.</param>
    public static void Run<TLanes>(ConvNetShape shape, float* padded, ConvNetWeights weights, float* inner, float* outer, float* ofOuter,
        float* taps, ConvNetWeights result) where TLanes : struct, ILanes<TLanes, float>
    {
        int first = DensePacking.Size(shape.Taps, shape.M, TLanes.Count), second = DensePacking.Size(shape.M, shape.M, TLanes.Count);
        var size = (nint)shape.M * (shape.M + shape.Taps + 2);
        var panels = KernelScratch.Shared(first + second + (shape.M * (long)shape.Taps) + (shape.Shares * (long)size));
        float* ordered = panels + first + second, shares = ordered + (shape.M * (nint)shape.Taps);
        weights.PackInner(shape, DensePanels.Of<float>(TLanes.Count), backward: true, ordered, panels, panels + first);
        KernelThreads.For(shape.Shares, 2 * shape.Work, DenseCall.Grain, (start, end) =>
        {
            for (var i = start; i < end; i++)
            {
                var job = new Share { Shape = shape, Padded = padded, Inner = inner, Outer = outer, OfOuter = ofOuter, Taps = taps,
                    First = panels, Second = panels + first, Sums = result.First == null ? null : shares + ((nint)i * size) };
                Blocks<TLanes>(job, (int)(shape.GradientBlocks * i / shape.Shares), (int)(shape.GradientBlocks * (i + 1) / shape.Shares));
            }
        });
        if (result.First != null) Add<TLanes>(shape, shares, size, result);
    }

    // what one share of the pixels reads and writes; the sums are (M, M), (taps, M), (M) and (M)
    private struct Share
    {
        public ConvNetShape Shape;
        public float* Padded, Inner, Outer, OfOuter, Taps, First, Second, Sums;
    }

    private static void Blocks<TLanes>(Share job, int start, int end) where TLanes : struct, ILanes<TLanes, float>
    {
        var shape = job.Shape;
        int m = shape.M, taps = shape.Taps;
        var patches = KernelScratch.Own(ConvNetShape.GradientBlock * ((long)shape.Stride + m));
        var gradients = patches + (ConvNetShape.GradientBlock * (nint)shape.Stride);
        float* product = job.Sums, firstProduct = product + ((nint)m * m), bias = firstProduct + ((nint)taps * m), firstBias = bias + m;
        if (product != null) new Span<float>(bias, 2 * m).Clear();
        for (var block = start; block < end; block++)
        {
            var at = block * ConvNetShape.GradientBlock;
            var count = Math.Min(ConvNetShape.GradientBlock, shape.Pixels - at);
            float* ofOuter = job.OfOuter + ((nint)at * m), inner = job.Inner + ((nint)at * m);
            Gate<TLanes>(ofOuter, job.Outer + ((nint)at * m), (nint)count * m);
            DenseProduct.Multiply<TLanes, float>(ofOuter, m, 1, job.Second, 0, count, m, m,
                new DenseFinish<float> { Gate = inner, Result = gradients, Stride = m });
            if (product != null)
            {
                var next = block > start;
                RowShares.AddRows<TLanes>(ofOuter, count, m, bias);
                RowShares.AddRows<TLanes>(gradients, count, m, firstBias);
                DenseProduct.Multiply<TLanes, float>(ofOuter, 1, m, inner, m, m, m, count,
                    new DenseFinish<float> { Addend = next ? product : null, Result = product, Stride = m });
                ConvNetImages.Patches<TLanes>(shape, job.Padded, at, count, patches);
                DenseProduct.Multiply<TLanes, float>(patches, 1, shape.Stride, gradients, m, taps, m, count,
                    new DenseFinish<float> { Addend = next ? firstProduct : null, Result = firstProduct, Stride = m });
            }
            if (job.Taps != null)
                DenseProduct.Multiply<TLanes, float>(gradients, m, 1, job.First, 0, count, taps, m,
                    new DenseFinish<float> { Result = job.Taps + ((nint)at * shape.Stride), Stride = shape.Stride });
        }
    }

    private static void Gate<TLanes>(float* gradient, float* result, nint count) where TLanes : struct, ILanes<TLanes, float>
    {
        for (nint i = 0; i < count; i += TLanes.Count)
            TLanes.Store(LaneMath<TLanes, float>.Gate(TLanes.Load(gradient + i), TLanes.Load(result + i)), gradient + i);
    }

    // shares are added in their order
    private static void Add<TLanes>(ConvNetShape shape, float* shares, nint size, ConvNetWeights result)
        where TLanes : struct, ILanes<TLanes, float>
    {
        int m = shape.M, rows = m + shape.Taps + 2, count = shape.Shares;
        // a number that is read from beyond the second-level cache takes as long as 16 multiply-adds
        KernelThreads.For(rows, 16.0 * count * size, DenseCall.Grain, (start, end) =>
        {
            var sums = stackalloc float[m];
            for (var row = start; row < end; row++)
            {
                for (nint c = 0; c < m; c += TLanes.Count)
                {
                    var from = shares + ((nint)row * m) + c;
                    var sum = TLanes.Load(from);
                    for (var i = 1; i < count; i++) sum += TLanes.Load(from + (i * size));
                    TLanes.Store(sum, sums + c);
                }
                var tap = row - m;
                if (tap < 0) Copy(sums, result.Second + ((nint)row * m), m);
                else if (tap == shape.Taps) Copy(sums, result.SecondBias, m);
                else if (tap > shape.Taps) Copy(sums, result.FirstBias, m);
                else
                {
                    var to = result.First + ((nint)(tap % shape.I) * 9) + (nint)(tap / shape.I);
                    for (var o = 0; o < m; o++, to += shape.Taps) *to = sums[o];
                }
            }
        });
    }

    private static void Copy(float* from, float* to, int count) => new ReadOnlySpan<float>(from, count).CopyTo(new Span<float>(to, count));
}
