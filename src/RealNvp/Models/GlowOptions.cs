namespace RealNvp;

/// <summary>Everything that describes a <see cref="GlowModel"/>. A checkpoint carries this record as JSON.</summary>
public sealed record GlowOptions : ModelOptions
{
    /// <summary>Makes options for images of bytes: Levels is 256.</summary>
    public GlowOptions() => Levels = 256;

    /// <summary>Mirrors images at random while training.</summary>
    public bool HorizontalFlips { get; init; }

    /// <summary>L, the number of scales; H and W must be divisible by 2 to the power of L.</summary>
    public int Scales { get; init; } = 3;

    /// <summary>K, the number of layers of each scale (the paper says steps): each
    /// is an ActNorm, an invertible 1×1 convolution and a coupling.</summary>
    public int Layers { get; init; } = 32;

    /// <summary>The hidden channels of each network.</summary>
    public long Hidden { get; init; } = 512;

    /// <summary>Affine couplings with a scale σ(r + 2), or additive ones.</summary>
    public CouplingKind Coupling { get; init; } = CouplingKind.Affine;

    /// <summary>How the matrices of the 1×1 convolutions are stored.</summary>
    public LinearForm Linear { get; init; } = LinearForm.Lu;

    /// <summary>Learns mean and scale of what leaves at each scale, from what stays; false for standard normals.</summary>
    public bool LearnedPriors { get; init; } = true;

    /// <summary>CIFAR-10 as in the paper (arXiv 1807.03039, table 4): L = 3, K = 32, 512 channels, affine.</summary>
    public static GlowOptions Cifar10 { get; } = new() { Shape = [3, 32, 32], HorizontalFlips = true };

    /// <summary>ImageNet in 64×64 as in the paper (table 4): L = 4, K = 48, 512 channels, affine.</summary>
    public static GlowOptions ImageNet64x64 { get; } = new() { Shape = [3, 64, 64], Scales = 4, Layers = 48 };

    /// <summary>CelebA-HQ in 256×256 with 5 bits as in the paper (table 4): L = 6, K = 32, 512
    /// channels, additive. <see cref="GlowModel.ReduceBits"/> gives the 5 bits.</summary>
    public static GlowOptions CelebAHq256x256 { get; } = new() { Shape = [3, 256, 256], Scales = 6, Coupling = CouplingKind.Additive,
        Levels = 32, HorizontalFlips = true };

    /// <summary>8×8 grey digits with 17 grey levels, as in the UCI set: L = 2, K = 6, 64 channels.</summary>
    public static GlowOptions Digits8x8 { get; } = new() { Shape = [1, 8, 8], Levels = 17, Scales = 2, Layers = 6, Hidden = 64 };

    /// <inheritdoc/>
    protected override void CheckRules()
    {
        base.CheckRules();
        RequireImage();
        Range(Scales, 1, 16, nameof(Scales));
        Range(Layers, 1, 4096, nameof(Layers));
        Range(Hidden, 1, 1 << 16, nameof(Hidden));
        Require(Enum.IsDefined(Coupling), nameof(Coupling), Coupling, "must be a defined value");
        Require(Enum.IsDefined(Linear), nameof(Linear), Linear, "must be a defined value");
        RequireScales(Scales, static scales => scales, pixels: 1);
    }

    /// <inheritdoc/>
    protected internal override FlowParts Build() => new(NewChain()) { BaseDensity = NewBase(), ContextEncoder = NewContextEncoder() };

    private Chain NewChain()
    {
        var layers = new List<Bijection>();
        if (HorizontalFlips) layers.Add(new RandomHorizontalFlip(0.5, Shape));
        if (Levels > 0) layers.Add(new UniformDequantization(Levels, Shape));
        var scales = new List<Bijection>();
        var shape = Shape;
        for (var scale = 0; scale < Scales; scale++)
        {
            var squeeze = new Squeeze(shape);
            var squeezed = squeeze.OutputShapeOf(shape);
            var mask = Mask.ChannelWise(squeezed[0]);
            var last = scale == Scales - 1;
            List<Bijection> steps = [squeeze];
            for (var i = 0; i < Layers; i++)
                steps.AddRange([new ActNorm(squeezed), new InvertibleLinearLayer(squeezed, Linear), NewCoupling(squeezed, mask)]);
            if (LearnedPriors)
                steps.Add(last ? new LearnedPrior(squeezed)
                    : new CouplingLayer(squeezed, mask, new StandardizingTransformer(), size => new ZeroConv2d(size.Inputs, size.Outputs)));
            scales.Add(new Chain([.. steps]));
            shape = [squeezed[0] / 2, squeezed[1], squeezed[2]];
        }
        layers.Add(new MultiScaleLayer(Shape, [.. scales]));
        return new Chain([.. layers]);
    }

    private CouplingLayer NewCoupling(EventShape shape, Mask mask)
    {
        ScalarTransformer transformer = Coupling == CouplingKind.Affine ? new SigmoidAffineTransformer() : new AdditiveTransformer();
        return new CouplingLayer(shape, mask, transformer, size => new GlowConvNet(size.Inputs, size.Outputs, Hidden, ContextSize));
    }
}
