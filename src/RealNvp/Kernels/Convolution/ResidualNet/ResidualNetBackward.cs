namespace RealNvp.Kernels;

/// <summary>The gradients of the network, from that of its output.</summary>
internal static unsafe class ResidualNetBackward
{
    /// <summary>Computes the gradients.</summary>
    /// <param name="shape">The sizes; C is whole vectors.</param>
    /// <param name="padded">The images with their border.</param>
    /// <param name="net">The weights, with μ and σ² of the batch.</param>
    /// <param name="images">What the forward pass kept.</param>
    /// <param name="gradient">Of the output, (N, H, W, O).</param>
    /// <param name="taps">Gets the gradients of the taps of each pixel, unless it is null.</param>
    /// <param name="result">Get the gradients of the weights.</param>
    public static void Run<TLanes>(ResidualNetShape shape, float* padded, ResidualNetNumbers net, ResidualNetImages images,
        float* gradient, float* taps, ResidualNetNumbers result) where TLanes : struct, ILanes<TLanes, float>
    {
        var image = shape.Image;
        float* weight = KernelScratch.Held((4 * image) + (2 * shape.LargestWeight)), ofWeight = weight + shape.LargestWeight;
        float* normed = ofWeight + shape.LargestWeight, inner = normed + image, ofSum = inner + image, ofBlock = ofSum + image;

        net.Last.Weight(weight);
        NormRows.Run(images.Sum, normed, shape.Pixels, shape.C, net.LastNorm.Line(shape.C));
        PointConvolution.Backward<TLanes>(normed, gradient, shape.Pixels, shape.C, shape.O, weight, adds: false, ofSum, ofWeight,
            result.Last.Bias);
        net.Last.Backward(ofWeight, shape.C, result.Last);
        Norm(shape, net.LastNorm, images.Sum, ofSum, ofSum, null, result.LastNorm);

        for (var i = shape.Blocks; i >= 0; i--)
        {
            // what all blocks after this one give stands in ofBlock
            net.Skips[i].Weight(weight);
            PointConvolution.Backward<TLanes>(images.Into(i), ofSum, shape.Pixels, shape.C, shape.C, weight, adds: i < shape.Blocks,
                ofBlock, ofWeight, i == shape.Blocks ? result.Skips[i].Bias : null);
            net.Skips[i].Backward(ofWeight, shape.C, result.Skips[i]);
            if (i < shape.Blocks)
                new ReadOnlySpan<float>(result.Skips[shape.Blocks].Bias, shape.C).CopyTo(new Span<float>(result.Skips[i].Bias, shape.C));
            if (i == 0) break;
            var block = i - 1;
            Convolution<TLanes>(shape, net.Outer[block], net.OuterNorms[block], images.Within(block), ofBlock, inner, null, weight,
                ofWeight, normed, result.Outer[block], result.OuterNorms[block]);
            Convolution<TLanes>(shape, net.Inner[block], net.InnerNorms[block], images.Into(block), inner, ofBlock, ofBlock, weight,
                ofWeight, normed, result.Inner[block], result.InnerNorms[block]);
        }

        net.First.Weight(weight);
        PatchConvolution.Backward<TLanes>(shape.First, padded, ofBlock, weight, taps, ofWeight, result.First.Bias);
        net.First.Backward(ofWeight, shape.First.Stride, result.First);
    }

    // conv(relu(norm(x))): from the gradient of its value to that of x, and what is added to it
    private static void Convolution<TLanes>(ResidualNetShape shape, NormedWeight conv, NormNumbers norm, float* x, float* gradient,
        float* ofX, float* addend, float* weight, float* ofWeight, float* normed, NormedWeight result, NormNumbers ofNorm)
        where TLanes : struct, ILanes<TLanes, float>
    {
        NormRows.Run(x, normed, shape.Pixels, shape.C, norm.Line(shape.C));
        WinogradBackward.Run<TLanes>(shape.Block, normed, 0, gradient, WinogradWeight.ChannelsLast(ofWeight, shape.C), result.Bias);
        conv.Backward(ofWeight, conv.Each, result);
        conv.Weight(weight);
        // the memory of what was normalized is free now
        WinogradForward.Run<TLanes>(shape.Block.Reversed, gradient, 0, WinogradWeight.ChannelsLast(weight, shape.C).Reversed, null, null,
            normed);
        Norm(shape, norm, x, normed, ofX, addend, ofNorm);
    }

    private static void Norm(ResidualNetShape shape, NormNumbers norm, float* x, float* gradient, float* ofX, float* addend,
        NormNumbers result) =>
        NormRows.Backward(x, gradient, ofX, addend, shape.Pixels, shape.C, norm.Line(shape.C), norm.Mean, norm.Variance, norm.Eps,
            result.Weight, result.Shift);
}
