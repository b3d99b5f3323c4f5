namespace RealNvp;

/// <summary>Builds the bijection of a <see cref="RealNvpModel"/> from its options.</summary>
internal static class RealNvpBuilder
{
    public static Chain Build(RealNvpVectorOptions options) =>
        new([.. Preprocessing(options), .. Couplings(options), .. Scaling(options, options.Shape)]);

    public static Chain Build(RealNvpImageOptions options)
    {
        IEnumerable<Bijection> flips = options.HorizontalFlips ? [new RandomHorizontalFlip(0.5, options.Shape)] : [];
        var scales = new MultiScaleLayer(options.Shape, [.. Scales(options)]);
        return new([.. flips, .. Preprocessing(options), scales, .. Scaling(options, [options.Shape.NumElements])]);
    }

    private static IEnumerable<Bijection> Preprocessing(RealNvpOptions options)
    {
        if (options.Levels > 0) yield return new UniformDequantization(options.Levels, options.Shape);
        if (options.LogitAlpha is { } alpha) yield return new LogitTransform(alpha, options.Shape);
        foreach (var layer in options.ScalingLayers(options.Standardize)) yield return layer;
    }

    private static IEnumerable<Bijection> Scaling(RealNvpOptions options, EventShape latent) =>
        options.DiagonalScaling ? [new DiagonalScaling(latent)] : [];

    private static IEnumerable<Bijection> Couplings(RealNvpVectorOptions options)
    {
        var features = options.Shape[0];
        var first = options.VectorMask == VectorMask.Alternating ? Mask.Alternating(features) : Mask.FirstHalf(features);
        for (var i = 0; i < options.Layers; i++)
        {
            var mask = i % 2 == 0 ? first : !first;
            yield return Coupling(options, options.Shape, mask,
                size => new ResidualMlp(size.Inputs, size.Outputs, options.Hidden, options.Blocks, size.ContextSize, options.InputLimit),
                maskAsInput: false);
            if (options.FlowBatchNorm) yield return new FlowBatchNorm(options.Shape, mask, options.Momentum);
        }
    }

    private static IEnumerable<Bijection> Scales(RealNvpImageOptions options)
    {
        var shape = options.Shape;
        var hidden = options.Hidden;
        for (var scale = 0; scale < options.Scales; scale++)
        {
            if (scale == options.Scales - 1)
            {
                yield return new Chain([.. ImageCouplings(options, shape, hidden, Mask.Checkerboard(shape[1], shape[2]), 4)]);
                yield break;
            }
            var squeeze = new Squeeze(shape);
            var squeezed = squeeze.OutputShapeOf(shape);
            yield return new Chain([
                .. ImageCouplings(options, shape, hidden, Mask.Checkerboard(shape[1], shape[2]), 3),
                squeeze,
                // the original code transforms the first half of the channels first
                .. ImageCouplings(options, squeezed, 2 * hidden, !Mask.ChannelWise(squeezed[0]), 3),
                new InvertedLayer(new Squeeze(shape)),
                new Squeeze(shape, SqueezeOrder.Checkerboard),
            ]);
            shape = [squeezed[0] / 2, squeezed[1], squeezed[2]];
            hidden *= 2;
        }
    }

    private static IEnumerable<Bijection> ImageCouplings(RealNvpImageOptions options, EventShape shape, long hidden, Mask first, int count)
    {
        for (var i = 0; i < count; i++)
        {
            var mask = i % 2 == 0 ? first : !first;
            // a checkerboard: its networks see the whole image
            var dense = mask.Shape.Count == 2;
            yield return Coupling(options, shape, mask, size => new ResidualConvNet(size.Inputs, size.Outputs, new ResidualConvNetOptions
            {
                HiddenChannels = hidden,
                Blocks = options.Blocks,
                BatchNorm = options.NetworkBatchNorm,
                Statistics = options.Statistics,
                Momentum = options.Momentum,
                ConcatenatedRelu = options.ConcatenatedRelu,
                DoubleInput = dense && options.ConcatenatedRelu,
                ContextSize = size.ContextSize,
            }), dense && options.MaskAsInput);
            if (options.FlowBatchNorm) yield return new FlowBatchNorm(shape, mask, options.Momentum);
        }
    }

    private static CouplingLayer Coupling(RealNvpOptions options, EventShape shape, Mask mask, Func<ConditionerSizes, Conditioner> network,
        bool maskAsInput) => options.Coupling == CouplingKind.Affine
        ? new AffineCouplingLayer(shape, mask, network, options.Order, maskAsInput, options.ContextSize)
        : new AdditiveCouplingLayer(shape, mask, network, maskAsInput, options.ContextSize);
}
