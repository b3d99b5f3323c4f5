namespace RealNvp.Kernels;

/// <summary>The network from images to parameters.</summary>
internal static unsafe class ResidualNetForward
{
    /// <summary>Runs the network.</summary>
    /// <param name="shape">The sizes; C is whole vectors.</param>
    /// <param name="padded">The images, as <see cref="ConvNetImages.Pad"/> gives them.</param>
    /// <param name="net">The weights.</param>
    /// <param name="ofBatch">Whether normalizations measure the batch, and set their μ and σ².</param>
    /// <param name="images">Get what is computed on the way.</param>
    /// <param name="output">Gets (N, H, W, O).</param>
    public static void Run<TLanes>(ResidualNetShape shape, float* padded, ResidualNetNumbers net, bool ofBatch, ResidualNetImages images,
        float* output) where TLanes : struct, ILanes<TLanes, float>
    {
        // no tensors: what comes and goes between others that stay would leave holes in the heap
        var weight = KernelScratch.Held(shape.Image + shape.LargestWeight);
        var normed = weight + shape.LargestWeight;
        net.First.Weight(weight);
        PatchConvolution.Forward<TLanes>(shape.First, padded, weight, net.First.Bias, images.Into(0));
        AddSkip<TLanes>(shape, net.Skips[0], images.Into(0), weight, adds: false, images.Sum);
        for (var i = 0; i < shape.Blocks; i++)
        {
            Norm(shape, net.InnerNorms[i], ofBatch, images.Into(i), normed);
            Convolve<TLanes>(shape, net.Inner[i], normed, weight, null, images.Within(i));
            Norm(shape, net.OuterNorms[i], ofBatch, images.Within(i), normed);
            Convolve<TLanes>(shape, net.Outer[i], normed, weight, images.Into(i), images.Into(i + 1));
            AddSkip<TLanes>(shape, net.Skips[i + 1], images.Into(i + 1), weight, adds: true, images.Sum);
        }
        Norm(shape, net.LastNorm, ofBatch, images.Sum, normed);
        net.Last.Weight(weight);
        PointConvolution.Forward<TLanes>(normed, shape.Pixels, shape.C, shape.O, weight, net.Last.Bias, adds: false, output);
    }

    private static void Norm(ResidualNetShape shape, NormNumbers norm, bool ofBatch, float* x, float* to)
    {
        if (ofBatch && norm.Weight != null) NormRows.Moments(x, shape.Pixels, shape.C, norm.Mean, norm.Variance);
        NormRows.Run(x, to, shape.Pixels, shape.C, norm.Line(shape.C));
    }

    private static void Convolve<TLanes>(ResidualNetShape shape, NormedWeight weight, float* x, float* normed, float* addend, float* to)
        where TLanes : struct, ILanes<TLanes, float>
    {
        weight.Weight(normed);
        WinogradForward.Run<TLanes>(shape.Block, x, 0, WinogradWeight.ChannelsLast(normed, shape.C), weight.Bias, addend, to);
    }

    private static void AddSkip<TLanes>(ResidualNetShape shape, NormedWeight weight, float* x, float* normed, bool adds, float* sum)
        where TLanes : struct, ILanes<TLanes, float>
    {
        weight.Weight(normed);
        PointConvolution.Forward<TLanes>(x, shape.Pixels, shape.C, shape.C, normed, weight.Bias, adds, sum);
    }
}
