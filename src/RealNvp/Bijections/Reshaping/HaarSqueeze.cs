using RealNvp.Internal;
using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Trades space for channels by the Haar wavelet: (C, H, W) → (4·C, H/2, W/2); log|det| = 0, for an orthogonal matrix turns each 2×2
/// block of pixels (as between the scales of Wavelet Flow, arXiv 2010.13821).
/// </summary>
/// <remarks>
/// <para>A block [[a, b], [c, d]] becomes (a + b + c + d)/2, (a − b + c − d)/2, (a + b − c − d)/2 and (a − b −
/// c + d)/2: first the C channels of the averages, then those of the differences between columns, between rows,
/// and along the diagonals. The first C channels, divided by 2, are the image at half its size.</para>
/// <para>It has no weights. The inverse as a layer of its own is <c>new InvertedLayer(new HaarSqueeze(...))</c>.</para>
/// </remarks>
public sealed partial class HaarSqueeze : Bijection
{
    /// <summary>Makes a squeeze for images of one shape.</summary>
    /// <param name="inputShape">[C, H, W] with even H and W; -1 for any size.</param>
    /// <exception cref="ArgumentException">The shape is no image, or H or W is odd.</exception>
    public HaarSqueeze(EventShape inputShape) : base(nameof(HaarSqueeze), BlockShapes.Checked(inputShape)) => RegisterComponents();

    /// <inheritdoc/>
    public override EventShape OutputShapeOf(EventShape input) => BlockShapes.Squeezed(input);

    /// <inheritdoc/>
    public override EventShape InputShapeOf(EventShape output) => BlockShapes.Unsqueezed(output);

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass)
    {
        var s = x.shape;
        BlockShapes.CheckBatch(s, GetName(), nameof(x));
        Tensor Pixel(long dy, long dx) => x.slice(2, dy, s[2], 2).slice(3, dx, s[3], 2);
        return (cat(Turned(Pixel(0, 0), Pixel(0, 1), Pixel(1, 0), Pixel(1, 1)), 1), null);
    }

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass)
    {
        var s = z.shape;
        var c = s[1] / 4;
        Tensor Band(long i) => z.narrow(1, i * c, c);
        // stacked in the order of the pixels, so that the stack is dy and dx
        var blocks = stack(Turned(Band(0), Band(1), Band(2), Band(3)), 1).reshape(s[0], 2, 2, c, s[2], s[3]);
        return (blocks.permute(0, 3, 4, 1, 5, 2).reshape(s[0], c, 2 * s[2], 2 * s[3]), null);
    }

    /// <summary>The matrix is symmetric and orthogonal: it is its own inverse.
    /// Halves come first, which is exact and cannot overflow early.</summary>
    private static Tensor[] Turned(Tensor a, Tensor b, Tensor c, Tensor d)
    {
        (a, b, c, d) = (a.mul(Scalars.Half), b.mul(Scalars.Half), c.mul(Scalars.Half), d.mul(Scalars.Half));
        var (upper, lower) = (a.add(b, Scalars.One), c.add(d, Scalars.One));
        var (upperStep, lowerStep) = (a.sub(b), c.sub(d));
        return [upper.add(lower, Scalars.One), upperStep.add(lowerStep, Scalars.One), upper.sub(lower), upperStep.sub(lowerStep)];
    }
}
