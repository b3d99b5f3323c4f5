using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Glow (Kingma and Dhariwal, arXiv 1807.03039): invertible 1×1 convolutions and couplings over several scales, for images.</summary>
/// <remarks>
/// <para>Each scale squeezes, takes K steps of ActNorm, 1×1 convolution and coupling, and lets half of the channels go as latents, normal with
/// a mean and scale that are learned from the other half. Latents are vectors (N, D) of standard normals; <see cref="FlowModel.SplitLatent"/> parts
/// them by scale.</para>
/// <para>The first batch of training sets each <see cref="ActNorm"/>: let it be a good sample of the data. Lower temperatures than 1, such as
/// 0.7, give smoother images.</para>
/// </remarks>
public sealed class GlowModel : FlowModel
{
    /// <summary>Builds a model with new weights, on torch's default device and in its default dtype.</summary>
    /// <param name="options">What to build; presets are static members of <see cref="GlowOptions"/>.</param>
    /// <param name="seed">Makes the initial weights repeatable, on any thread; torch's default generator is left alone. Null draws from that generator.</param>
    /// <exception cref="ArgumentException">An option is out of range.</exception>
    public GlowModel(GlowOptions options, long? seed = null)
        : base(nameof(GlowModel), Checked(options, nameof(GlowModel)), Seeded(seed, () => Build(options), options.NewBase)) => Options = options;

    /// <summary>What the model was built from.</summary>
    public GlowOptions Options { get; }

    /// <inheritdoc/>
    public override ModelOptions ModelOptions => Options;

    /// <inheritdoc cref="FlowModel.Load(string, Device)"/>
    public static new GlowModel Load(string path, Device? device = null) => Read<GlowModel>(path, device);

    /// <inheritdoc cref="FlowModel.Load(Stream, Device)"/>
    public static new GlowModel Load(Stream stream, Device? device = null) => Read<GlowModel>(stream, device);

    /// <summary>Keeps the highest bits of bytes, as the paper does for its larger images: 5 bits give the values 0 ... 31.</summary>
    /// <param name="images">Whole numbers 0 ... 255, of any dtype and shape.</param>
    /// <param name="bits">1 to 8.</param>
    /// <returns>Whole numbers of the same dtype and shape. The caller disposes them.</returns>
    public static Tensor ReduceBits(Tensor images, int bits)
    {
        ArgumentNullException.ThrowIfNull(images);
        if (bits is < 1 or > 8) throw new ArgumentOutOfRangeException(nameof(bits), bits, "The number of bits must be 1 to 8.");
        using var scope = NewDisposeScope();
        return scope.MoveToOuter(images.to(float32).div(Internal.Scalars.Of(1 << (8 - bits))).floor().to(images.dtype));
    }

    private static Chain Build(GlowOptions options)
    {
        var layers = new List<Bijection>();
        if (options.HorizontalFlips) layers.Add(new RandomHorizontalFlip(0.5, options.Shape));
        if (options.Levels > 0) layers.Add(new UniformDequantization(options.Levels, options.Shape));
        var scales = new List<Bijection>();
        var shape = options.Shape;
        for (var scale = 0; scale < options.Scales; scale++)
        {
            var squeeze = new Squeeze(shape);
            var squeezed = squeeze.OutputShapeOf(shape);
            var mask = Mask.ChannelWise(squeezed[0]);
            var last = scale == options.Scales - 1;
            List<Bijection> steps = [squeeze];
            for (var i = 0; i < options.Steps; i++) steps.AddRange([new ActNorm(squeezed), new InvertibleLinear(squeezed, options.Linear), Coupling(options, squeezed, mask)]);
            if (options.LearnedPriors) steps.Add(last ? new LearnedPrior(squeezed) : new CouplingLayer(squeezed, mask, new StandardizingTransformer(), size => new ZeroConv2d(size.Inputs, size.Outputs)));
            scales.Add(new Chain([.. steps]));
            shape = [squeezed[0] / 2, squeezed[1], squeezed[2]];
        }
        layers.Add(new MultiScale(options.Shape, [.. scales]));
        return new Chain([.. layers]);
    }

    private static CouplingLayer Coupling(GlowOptions options, EventShape shape, Mask mask)
    {
        ScalarTransformer transformer = options.Coupling == CouplingKind.Affine ? new SigmoidAffineTransformer() : new AdditiveTransformer();
        return new CouplingLayer(shape, mask, transformer, size => new GlowConvNet(size.Inputs, size.Outputs, options.Hidden, options.ContextSize));
    }
}
