using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>Glow (Kingma and Dhariwal, arXiv 1807.03039): invertible 1×1
/// convolutions and couplings over several scales, for images.</summary>
/// <remarks>
/// <para>Each scale squeezes, takes K steps of ActNorm, 1×1 convolution and coupling, and lets half of the
/// channels go as latents, normal with a mean and scale that are learned from the other half. Latents are
/// vectors (N, D) of standard normals; <see cref="FlowModel.SplitLatent"/> parts them by scale.</para>
/// <para>The first batch of training sets each <see cref="ActNorm"/>: let it be a good
/// sample of the data. Lower temperatures than 1, such as 0.7, give smoother images.</para>
/// </remarks>
/// <param name="options">What to build; presets are static members of <see cref="GlowOptions"/>.</param>
/// <param name="seed">Makes the initial weights repeatable, on any thread; torch's
/// default generator is left alone. Null draws from that generator.</param>
/// <exception cref="ArgumentException">An option is out of range.</exception>
public sealed class GlowModel(GlowOptions options, long? seed = null) : FlowModel<GlowModel, GlowOptions>(options, seed)
{
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
}
