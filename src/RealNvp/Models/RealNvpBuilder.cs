namespace RealNvp;

/// <summary>Builds the bijection of a <see cref="RealNvpModel"/> from its options.</summary>
internal sealed class RealNvpBuilder
{
    private readonly RealNvpOptions options;

    private RealNvpBuilder(RealNvpOptions options) => this.options = options;

    public static Chain Build(RealNvpOptions options) => new([.. new RealNvpBuilder(options).Layers()]);

    private IEnumerable<Bijection> Layers()
    {
        if (options.HorizontalFlips) yield return new RandomHorizontalFlip(0.5, options.Shape);
        if (options.Levels > 0) yield return new UniformDequantization(options.Levels, options.Shape);
        if (options.LogitAlpha is { } alpha) yield return new LogitTransform(alpha, options.Shape);
        foreach (var layer in options.ScalingLayers(options.Standardize)) yield return layer;
        if (options.IsImage) yield return new MultiScale(options.Shape, [.. Scales()]);
        else foreach (var layer in VectorCouplings()) yield return layer;
        if (options.DiagonalScaling) yield return new DiagonalScaling(options.IsImage ? [options.Shape.NumElements] : options.Shape);
    }

    private IEnumerable<Bijection> VectorCouplings()
    {
        var features = options.Shape[0];
        var first = options.VectorMask == VectorMask.Alternating ? Mask.Alternating(features) : Mask.FirstHalf(features);
        for (var i = 0; i < options.Couplings; i++)
        {
            var mask = i % 2 == 0 ? first : !first;
            yield return Coupling(options.Shape, mask, size => new ResidualMlp(size.Inputs, size.Outputs, options.Hidden, options.Blocks,
                size.ContextSize, options.InputLimit), maskAsInput: false);
            if (options.FlowBatchNorm) yield return new FlowBatchNorm(options.Shape, mask, options.Momentum);
        }
    }

    private IEnumerable<Bijection> Scales()
    {
        var shape = options.Shape;
        var hidden = options.Hidden;
        for (var scale = 0; scale < options.Scales; scale++)
        {
            if (scale == options.Scales - 1)
            {
                yield return new Chain([.. ImageCouplings(shape, hidden, Mask.Checkerboard(shape[1], shape[2]), 4)]);
                yield break;
            }
            var squeeze = new Squeeze(shape);
            var squeezed = squeeze.OutputShapeOf(shape);
            yield return new Chain([
                .. ImageCouplings(shape, hidden, Mask.Checkerboard(shape[1], shape[2]), 3),
                squeeze,
                // the original code transforms the first half of the channels first
                .. ImageCouplings(squeezed, 2 * hidden, !Mask.ChannelWise(squeezed[0]), 3),
                new Inverted(new Squeeze(shape)),
                new Squeeze(shape, SqueezeOrder.Checkerboard),
            ]);
            shape = [squeezed[0] / 2, squeezed[1], squeezed[2]];
            hidden *= 2;
        }
    }

    private IEnumerable<Bijection> ImageCouplings(EventShape shape, long hidden, Mask first, int count)
    {
        for (var i = 0; i < count; i++)
        {
            var mask = i % 2 == 0 ? first : !first;
            // a checkerboard: its networks see the whole image
            var dense = mask.Shape.Count == 2;
            yield return Coupling(shape, mask, size => new ResidualConvNet(size.Inputs, size.Outputs, new ResidualConvNetOptions
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

    private CouplingLayer Coupling(EventShape shape, Mask mask, Func<ConditionerSizes, Conditioner> network, bool maskAsInput) =>
        options.Coupling == CouplingKind.Affine
        ? new AffineCouplingLayer(shape, mask, network, options.Order, maskAsInput, options.ContextSize)
        : new AdditiveCouplingLayer(shape, mask, network, maskAsInput, options.ContextSize);
}
