namespace RealNvp;

/// <summary>Everything that describes a <see cref="ResidualFlowModel"/> for images,
/// over several scales. A checkpoint carries this record as JSON.</summary>
/// <remarks>
/// Each scale has blocks with a 3×3, a 1×1 and a 3×3 convolution, and a squeeze leads to the next one. Presets are static members of
/// <see cref="ResidualFlowOptions"/>: <c>ResidualFlowOptions.Cifar10 with { Layers = 8 }</c>.
/// </remarks>
public sealed record ResidualFlowImageOptions : ResidualFlowOptions
{
    /// <summary>α of the logit transform for data in [0, 1] or for integers; null for none.</summary>
    public double? LogitAlpha { get; init; } = 0.05;

    /// <summary>Mirrors images at random while training.</summary>
    public bool HorizontalFlips { get; init; }

    /// <summary>The number of scales; H and W must be divisible by 2 to the power of one less.</summary>
    public int Scales { get; init; } = 3;

    /// <summary>The number of residual blocks of each scale.</summary>
    public int Layers { get; init; } = 16;

    /// <summary>Half of the channels leave after each scale but the last; the paper keeps all.</summary>
    public bool FactorOut { get; init; }

    /// <summary>The fully connected blocks at the end, which see the whole latent.</summary>
    public int DenseLayers { get; init; }

    /// <summary>The hidden features of these.</summary>
    public long DenseHidden { get; init; } = 128;

    /// <inheritdoc/>
    protected override void CheckRules()
    {
        base.CheckRules();
        Require(IsImage, nameof(Shape), Shape, $"must be [C, H, W]: for vectors there is {nameof(ResidualFlowVectorOptions)}");
        Require(LogitAlpha is null || Internal.Ranges.LogitAlpha.Holds(LogitAlpha.Value), nameof(LogitAlpha), LogitAlpha,
            Internal.Ranges.LogitAlpha.Rule);
        Range(Scales, 1, 16, nameof(Scales));
        Range(Layers, 1, 4096, nameof(Layers));
        Range(DenseLayers, 0, 4096, nameof(DenseLayers));
        Range(DenseHidden, 1, 1 << 16, nameof(DenseHidden));
        RequireScales(Scales, static scales => scales - 1, pixels: 1);
    }

    /// <inheritdoc/>
    protected internal override FlowParts Build() => new(Blocks()) { BaseDensity = NewBase(), ContextEncoder = NewContextEncoder() };

    private Chain Blocks()
    {
        var layers = new List<Bijection>();
        if (HorizontalFlips) layers.Add(new RandomHorizontalFlip(0.5, Shape));
        if (Levels > 0) layers.Add(new UniformDequantization(Levels, Shape));
        if (LogitAlpha is { } alpha) layers.Add(new LogitTransform(alpha, Shape));
        var (scales, here, shape) = (new List<Bijection>(), new List<Bijection>(), Shape);
        for (var scale = 0; scale < Scales; scale++)
        {
            for (var i = 0; i < Layers; i++)
            {
                if (ActNorm) here.Add(new ActNorm(shape));
                here.Add(new ResidualLayer(shape, new LipschitzConvNet(shape, shape[0], Hidden, null, Activation, Coefficient, ContextSize,
                    norm: Norm), LogDet));
            }
            if (scale == Scales - 1)
            {
                if (ActNorm) here.Add(new ActNorm(shape));
                break;
            }
            var squeeze = new Squeeze(shape);
            here.Add(squeeze);
            shape = squeeze.OutputShapeOf(shape);
            if (!FactorOut) continue;
            scales.Add(new Chain([.. here]));
            here = [];
            shape = [shape[0] / 2, shape[1], shape[2]];
        }
        layers.Add(new MultiScaleLayer(Shape, [.. scales, new Chain([.. here])]));
        EventShape latent = [Shape.NumElements];
        for (var i = 0; i < DenseLayers; i++)
        {
            if (ActNorm) layers.Add(new ActNorm(latent));
            layers.Add(NewBlock(latent, DenseHidden, 2));
        }
        if (ActNorm && DenseLayers > 0) layers.Add(new ActNorm(latent));
        return new Chain([.. layers]);
    }
}
