using TorchSharp;
using static TorchSharp.torch;

namespace RealNvp;

/// <summary>
/// Trades space for channels: (C, H, W) → (4·C, H/2, W/2), each 2×2 block of pixels becoming four channels; log|det| = 0
/// (Real NVP, arXiv 1605.08803, section 3.6).
/// </summary>
/// <remarks>It has no weights. The inverse as a layer of its own is <c>new InvertedLayer(new Squeeze(...))</c>.</remarks>
public sealed class Squeeze : Bijection
{
    /// <summary>Makes a squeeze for images of one shape.</summary>
    /// <param name="inputShape">[C, H, W] with even H and W; -1 for any size.</param>
    /// <param name="order">The order of the pixels among the channels.</param>
    /// <exception cref="ArgumentException">The shape is no image, or H or W is odd.</exception>
    public Squeeze(EventShape inputShape, SqueezeOrder order = SqueezeOrder.Plain) : base(nameof(Squeeze), BlockShapes.Checked(inputShape))
    {
        Order = order;
        RegisterComponents();
    }

    /// <summary>The order of the pixels among the channels.</summary>
    public SqueezeOrder Order { get; }

    /// <inheritdoc/>
    public override bool MovesValues => true;

    /// <inheritdoc/>
    public override EventShape OutputShapeOf(EventShape input) => BlockShapes.Squeezed(input);

    /// <inheritdoc/>
    public override EventShape InputShapeOf(EventShape output) => BlockShapes.Unsqueezed(output);

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) ForwardCore(Tensor x, Pass pass)
    {
        var s = x.shape;
        BlockShapes.CheckBatch(s, GetName(), nameof(x));
        if (Order == SqueezeOrder.Plain)
            return (x.reshape(s[0], s[1], s[2] / 2, 2, s[3] / 2, 2).permute(0, 1, 3, 5, 2, 4).reshape(s[0], 4 * s[1], s[2] / 2, s[3] / 2),
                null);
        Tensor Pixel(long dy, long dx) => x.slice(2, dy, s[2], 2).slice(3, dx, s[3], 2);
        return (cat([Pixel(0, 0), Pixel(1, 1), Pixel(0, 1), Pixel(1, 0)], 1), null);
    }

    /// <inheritdoc/>
    protected override (Tensor Value, Tensor? LogDet) InverseCore(Tensor z, Pass pass)
    {
        var s = z.shape;
        var c = s[1] / 4;
        if (Order == SqueezeOrder.Plain)
            return (z.reshape(s[0], c, 2, 2, s[2], s[3]).permute(0, 1, 4, 2, 5, 3).reshape(s[0], c, 2 * s[2], 2 * s[3]), null);
        Tensor Pixel(long p) => z.narrow(1, p * c, c);
        // stacked in the order (0,0), (0,1), (1,0), (1,1), so that the stack is dy and dx
        var blocks = stack([Pixel(0), Pixel(2), Pixel(3), Pixel(1)], 1).reshape(s[0], 2, 2, c, s[2], s[3]);
        return (blocks.permute(0, 3, 4, 1, 5, 2).reshape(s[0], c, 2 * s[2], 2 * s[3]), null);
    }
}
